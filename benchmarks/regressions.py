"""Whether the speed gate tells a slower artifact from an unchanged one, on a machine that others use.

    python benchmarks/regressions.py            # 200 unchanged pairs, 40 of each planted: two hours
    python benchmarks/regressions.py --pairs=12 --planted=3 --busy=0,2

Pairs of exported models are judged as `pytest --nav-baseline` does it: both artifacts in one child with one thread, and
what it calls slower once more in a second one. Unchanged: the same model with other weights. Planted: 22 and 24
layers where there were 20, of a CNN in ONNX Runtime and of a transformer as TorchScript, so +10 and +20 %. Each number
of busy loops and each kind gets its share of the pairs. Prints a line for each pair, then Markdown. Aims: no false
alarm, all of +20 %, 95 % of +10 %. Exits with 1 where one is missed.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

import torch
from costs import table
from noise import busy

from pytest_navigator.api.given import Given
from pytest_navigator.api.session import Session
from pytest_navigator.configuration.config import NavConfig
from pytest_navigator.configuration.run_options import RunOptions
from pytest_navigator.core.steps import Step
from pytest_navigator.engine import engine
from pytest_navigator.engine.beside import Artifact
from pytest_navigator.engine.context import Context
from pytest_navigator.engine.speed import against
from pytest_navigator.gates.speed import speed_line

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_navigator.gates.facts import SpeedFacts

AIMS = {"unchanged": 0.0, "+10 %": 0.95, "+20 %": 1.0}
"""Share of the pairs that is called slower."""


def cnn(layers: int, seed: int) -> torch.nn.Module:
    """Return convolutions of 32 channels on 32 x 32 pixels."""
    torch.manual_seed(seed)
    convolutions = [torch.nn.Conv2d(3 if i == 0 else 32, 32, 3, padding=1) for i in range(layers)]
    for one in convolutions:
        torch.nn.init.kaiming_normal_(
            one.weight, nonlinearity="relu"
        )  # numbers that vanish would take time of their own
    parts = [part for one in convolutions for part in (one, torch.nn.ReLU())]
    return torch.nn.Sequential(*parts, torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()).eval()


def transformer(layers: int, seed: int) -> torch.nn.Module:
    """Return encoder layers of width 128 with four heads."""
    torch.manual_seed(seed)
    one = torch.nn.TransformerEncoderLayer(128, 4, 256, batch_first=True, activation="gelu", norm_first=True)
    return torch.nn.TransformerEncoder(one, layers, enable_nested_tensor=False).eval()


class Kind(NamedTuple):
    """What is measured: how it is built, its layers by what is planted, a sample, and where it runs."""

    build: Callable[[int, int], torch.nn.Module]
    layers: dict[str, int]
    shape: tuple[int, ...]
    key: str
    runner: str


KINDS = {
    "CNN, ONNX Runtime": Kind(cnn, {"unchanged": 20, "+10 %": 22, "+20 %": 24}, (1, 3, 32, 32), "onnx", "OnnxCPU"),
    "transformer, TorchScript": Kind(
        transformer, {"unchanged": 20, "+10 %": 22, "+20 %": 24}, (1, 32, 128), "torchscript-trace", "TorchScriptCPU"
    ),
}


@dataclass(frozen=True)
class Pair:
    """One comparison that is to be made."""

    kind: str
    planted: str
    loops: int
    swapped: bool


@dataclass(frozen=True)
class Judged:
    """What became of it; seconds: of all, with the starts of the children."""

    pair: Pair
    facts: SpeedFacts
    seconds: float


def main() -> None:
    """Make the artifacts, judge all pairs and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=200, help="unchanged ones")
    parser.add_argument("--planted", type=int, default=40, help="of each size")
    parser.add_argument("--busy", default="0,1,2", help="busy loops beside it")
    given = parser.parse_args()
    loops = [int(each) for each in given.busy.split(",")]
    with tempfile.TemporaryDirectory() as folder:
        sides = {name: sides_of(name, Path(folder)) for name in KINDS}
        found = []
        for pair in pairs(given.pairs, given.planted, loops):
            found.append(judge(pair, sides[pair.kind]))
            print(line(len(found), found[-1]), flush=True)
    print(f"\n{report(found)}")
    sys.exit(any(missed(found, planted) for planted in AIMS))


def pairs(unchanged: int, planted: int, loops: list[int]) -> list[Pair]:
    """Return all pairs, mixed: what else the machine does meets all of them alike."""
    counts = {"unchanged": unchanged, "+10 %": planted, "+20 %": planted}
    cells = [(kind, count) for count in loops for kind in KINDS]
    every = [
        Pair(kind, name, beside, swapped=i // len(cells) % 2 == 1)
        for name, count in counts.items()
        for i, (kind, beside) in zip(range(count), cycle(cells), strict=False)
    ]
    random.Random(0).shuffle(every)
    return every


def sides_of(name: str, folder: Path) -> dict[str, Context]:
    """Export the models of one kind; returns the step of each, by what is planted; "old" is the other unchanged one."""
    kind = KINDS[name]
    models = {"old": kind.build(kind.layers["unchanged"], 1)}
    models |= {planted: kind.build(layers, 0) for planted, layers in kind.layers.items()}
    return {key: exported(model, kind, folder / f"{kind.key}{i}") for i, (key, model) in enumerate(models.items())}


def exported(model: torch.nn.Module, kind: Kind, folder: Path) -> Context:
    """Run the steps that a comparison stands on."""
    config = NavConfig(framework="torch", formats=[kind.key], runtimes=[kind.runner], profile=False)
    given = Given(model, [torch.randn(kind.shape)], config)
    session = Session.planned(given, "model", RunOptions(None, folder))
    session.host.workspace.claim()
    step = Step("correctness", kind.key, kind.runner)
    found = engine.outcome(session.host, session.suite, step, session.live)
    session.host.close()
    if not found.passed:
        sys.exit(f"{kind.key}: {found.message}")
    return Context(session.host, session.suite, step, session.live)


def judge(pair: Pair, sides: dict[str, Context]) -> Judged:
    """Judge one pair as a run of pytest does, with children of its own."""
    old, new = sides["old"], sides[pair.planted]
    if pair.planted == "unchanged" and pair.swapped:
        old, new = new, old
    baseline = Artifact(str(old.folder.path), old.variant, old.folder.signature)
    with busy(pair.loops):
        begin = time.perf_counter()
        new.host.children.single_threaded(fresh=True)
        facts = against(new, baseline)
        return Judged(pair, facts, time.perf_counter() - begin)


def line(number: int, judged: Judged) -> str:
    """Return what is printed of a pair."""
    pair, facts = judged.pair, judged.facts
    load = f"{pair.loops} busy, load {os.getloadavg()[0]:.1f}"
    return f"{number} {pair.kind}, {pair.planted}, {load}, {judged.seconds:.1f} s: {speed_line(facts)}"


def report(found: list[Judged]) -> str:
    """Return the table."""
    headings = ("pairs", "busy loops", "n", "slower", "inconclusive", "other", "median ratio", "median s", "most s")
    rows = []
    for planted in AIMS:
        for loops in (*sorted({each.pair.loops for each in found}), None):
            some = [j for j in found if j.pair.planted == planted and loops in (j.pair.loops, None)]
            if some:
                rows.append(row(planted, "all" if loops is None else str(loops), some))
    return table(headings, rows)


def row(planted: str, loops: str, some: list[Judged]) -> tuple[str, ...]:
    """Return the counts of some pairs."""
    verdicts = Counter(each.facts.verdict for each in some)
    others = {name: count for name, count in verdicts.items() if name not in ("slower", "inconclusive")}
    ratios = [each.facts.ratio for each in some if each.facts.ratio]
    seconds = [each.seconds for each in some]
    told = ", ".join(f"{count} {name}" for name, count in others.items())
    counts = (str(len(some)), str(verdicts["slower"]), str(verdicts["inconclusive"]), told)
    figures = (f"{median(ratios):.3f}" if ratios else "", f"{median(seconds):.1f}", f"{max(seconds):.1f}")
    return (planted, loops, *counts, *figures)


def missed(found: list[Judged], planted: str) -> bool:
    """Whether an aim is missed."""
    some = [each for each in found if each.pair.planted == planted]
    share = sum(each.facts.failed for each in some) / max(1, len(some))
    return bool(some) and (share > 0 if planted == "unchanged" else share < AIMS[planted])


if __name__ == "__main__":
    main()

"""Reports for the tests of pages: of ten models, and of one whose names are attacks."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_navigator.comparison.divergence import Divergence
from pytest_navigator.core.facts import ThroughputFacts, as_data
from pytest_navigator.core.plain import plain
from pytest_navigator.core.records import Outcome, OutputReport, ProfileResult, SizeFigure
from pytest_navigator.core.steps import Status
from pytest_navigator.core.variants import RunnerRecord, Variant
from pytest_navigator.gates.facts import BudgetFacts, RegressionFacts
from pytest_navigator.gates.rows import Row, Verdict
from pytest_navigator.package.query.results import Results
from pytest_navigator.reporting.run_report import ModelReport, OtherFailure, RunReport
from tests.package.recorded import SIGNATURE, SOURCE, outcomes, results, suite

if TYPE_CHECKING:
    from collections.abc import Sequence

SCRIPT = "<script>document.title = 'taken over'</script>"
HOSTILE = (
    f"{SCRIPT}\"'><img src=x onerror=\"document.title='taken over'\"></style></pre></title>{{{{ 7 * 7 }}}}{{% raw %}}"
)
VOID = ("meta", "link", "img", "br", "hr", "input")

FORMATS = ("torch", "torchscript-script", "torchscript-trace", "torch-exportedprogram", "onnx", "openvino")
SIZES = (1, 2, 4, 8)


class Elements(HTMLParser):
    """What is in a page: its elements with their attributes, and the text that one sees."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.said: list[str] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes something else"

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.said.append(data)

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.found if name == tag]

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.said).split())


def measured(batch: int, p50: float) -> ProfileResult:
    rest = {"quartiles": (p50 * 0.9, p50 * 0.95, p50 * 1.05), "windows": 3, "contention": 0.3}
    return ProfileResult(batch, p50, 0.1, p50, p50 * 1.2, p50 * 1.3, p50 * 1.5, 1000 * batch / p50, 75, **rest)


DIVERGENCE = Divergence(
    "export", "cut every edge", value="gelu_2", operator="gelu", module="layers.2.mlp", location="model.py:14",
    inputs=("float32[2, 8]",), output="float32[2, 8]", error=1.8e-4, ratio=240.0, script="onnx/onnx-cpu.py",
)  # fmt: skip
ROWS = (
    Row("coverage", "onnx-cpu", "passed", "failed", Verdict.WORSE, "output__0: max abs"),
    Row("size", "torchscript-trace", 2000, 1000, Verdict.BETTER),
    Row("model", "fingerprint", "a", "b", Verdict.DIFFERENT),
    *(Row("tolerance", f"{key} output__0", 1e-6, 1e-6, Verdict.SAME) for key in FORMATS),
)
BUDGET = BudgetFacts("onnx-cpu", "p50", 1, 5.0, "ms", (7.3, 7.1), False, "")


def runner_of(key: str) -> str:
    return f"{key.title().replace('-', '')}CPU"


def steps_of(i: int, key: str) -> list[Outcome]:
    """A format that is right, or the one that is not."""
    runner, wrong = runner_of(key), key == "onnx"
    own = {"problem": "max abs"} if wrong else {"allowed_atol": 1e-5}
    place = {"mismatched": int(wrong), "total": 100, "sample": 0}
    outputs = [
        OutputReport(f"output__{n}", 1e-6 * (i + n), 1e-3, "atol 1e-5", index=(0, n), **place, **own) for n in range(3)
    ]
    data = {"outputs": plain(outputs), **({"divergence": plain(DIVERGENCE)} if wrong else {})}
    made = [Outcome("export", Status.PASSED, key)] if i else []
    if wrong:
        message = "output__0: max abs 4e-6 > atol 1e-6; 1 % of elements"
        return [*made, Outcome("correctness", Status.FAILED, key, runner, message=message, data=data)]
    figures = [
        Outcome(
            "profile", Status.PASSED, key, runner, f"batch{n}", data={"result": plain(measured(n, (i + 1) * n**0.5))}
        )
        for n in SIZES
    ]
    return [*made, Outcome("correctness", Status.PASSED, key, runner, data=data), *figures]


def gates() -> list[Outcome]:
    """A search of batch sizes, a baseline that something is worse than, a budget that is not kept."""
    sizes = tuple(SizeFigure(2**n, 1.0 + n, 0.9 + n, 100) for n in range(10))
    regression, budget = RegressionFacts("main.nav, 1a2b3c4 of 2026-11-21", ROWS), as_data(BUDGET)
    torch = ("torch", runner_of("torch"))
    return [
        Outcome("throughput", Status.PASSED, *torch, data=as_data(ThroughputFacts(sizes, 64, 512))),
        Outcome("regression", Status.FAILED, message="worse than main.nav: coverage", data=as_data(regression)),
        Outcome("budget", Status.FAILED, *torch, "p50", message=BUDGET.line, data=budget),
    ]


def large(name: str, more: Sequence[Outcome] = ()) -> ModelReport:
    """A model in six formats, at four batch sizes; one format is wrong, and has a long log."""
    steps = [SOURCE, *(step for i, key in enumerate(FORMATS) for step in steps_of(i, key)), *more]
    forms = [(key, key.partition("-")[0], runner_of(key)) for key in FORMATS]
    variants = tuple(Variant(key, of, None, "" if key == "torch" else "model", {}, (r,)) for key, of, r in forms)
    runners = {r: RunnerRecord(r, "cpu", of, "cpu", key == "torch", "a:B") for key, of, r in forms}
    record = replace(suite(steps), name=name, variants=variants, runners=runners)
    log = "\n".join(f"line {i} of what an exporter says about its work, at length" for i in range(40))
    whole, package = Results(record, tuple(steps), SIGNATURE), Path(f"{name}.nav")
    return ModelReport(whole, package=package, folder=Path("navigator_workspace", name), logs={"onnx": log})


def ten_models() -> RunReport:
    libraries = {"torch": "2.13.0", "onnx": "1.23.2"}
    environment = {"cpu": {"name": "AMD EPYC"}, "python_version": "3.11.7", "python_packages": libraries}
    models = tuple(large(f"model{i}", gates() if i == 0 else ()) for i in range(10))
    git = {"commit": "1a2b3c4d5e6f7a8b", "branch": "main"}
    return RunReport(models, 1, environment=environment, git=git, ended="2026-02-22T15:40:00+00:00")


def hostile() -> RunReport:
    """A run in which every text that somebody else chooses is an attack."""
    report = OutputReport(HOSTILE, 0.2, 1.0, HOSTILE, 1, 2, 0, HOSTILE, (0,), HOSTILE, HOSTILE)
    changes = {"message": HOSTILE, "detail": HOSTILE, "error": HOSTILE}
    wild = replace(
        DIVERGENCE, **dict.fromkeys(("value", "operator", "module", "location", "output", "script"), HOSTILE)
    )
    data = {"outputs": [plain(report)], "script": HOSTILE, "divergence": plain(wild)}
    worse = as_data(RegressionFacts(HOSTILE, (Row("coverage", HOSTILE, HOSTILE, HOSTILE, Verdict.WORSE, HOSTILE),)))
    found = [
        replace(o, **changes, data=data if o.step == "correctness" else o.data) if o.failed else o for o in outcomes()
    ]
    found = [replace(o, message=HOSTILE, requirement=HOSTILE) if o.status is Status.SKIPPED else o for o in found]
    found.append(Outcome("regression", Status.FAILED, message=HOSTILE, data=worse))
    model = ModelReport(
        results(found, name=HOSTILE, nodeid=HOSTILE), (HOSTILE,), Path("/a") / HOSTILE.replace("/", "∕"),
        logs={"onnx": HOSTILE, "torchscript-script": HOSTILE},
    )  # fmt: skip
    environment = {"cpu": {"name": HOSTILE}, "python_version": HOSTILE, "python_packages": {"torch": HOSTILE}}
    others = (OtherFailure(HOSTILE, HOSTILE),)
    return RunReport((model, model), 1, others, environment=environment, git={"commit": HOSTILE, "branch": HOSTILE})

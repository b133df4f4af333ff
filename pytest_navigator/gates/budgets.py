"""Budgets: what was measured of a cell, and a limit -> whether it is kept, as a record (pure)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import accumulate
from typing import TYPE_CHECKING

from pytest_navigator.comparison.facts import CorrectnessFacts
from pytest_navigator.configuration.budgets import BOUNDS, Limit
from pytest_navigator.core.execution import CPU
from pytest_navigator.core.facts import DelegatedNodes, MakingFacts, ProfileFacts, facts_of
from pytest_navigator.gates.facts import TIMES, BudgetFacts
from pytest_navigator.profiling.figures import caveat

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from pytest_navigator.core.execution import GraphBreaks, NodeAssignment
    from pytest_navigator.core.records import Outcome, ProfileResult
    from pytest_navigator.core.steps import Step


@dataclass(frozen=True)
class Measured:
    """What is known of a cell, as far as budgets go by it; None: it was not recorded.

    Attributes:
        profiles: its measurements at the batch size, in their order.
        sources: those of the source's own runner on the same kind of device at the same batch size, one for each of
            these.
        device: "cpu" or "cuda".
        size: of the artifact, in bytes.
        nodes, graph_breaks: how the runtime runs it.
        delegated: what its backend computes.
    """

    profiles: tuple[ProfileResult, ...] = ()
    sources: tuple[ProfileResult, ...] = ()
    device: str = "cpu"
    size: int | None = None
    nodes: NodeAssignment | None = None
    graph_breaks: GraphBreaks | None = None
    delegated: DelegatedNodes | None = None


def measured_of(
    cell: tuple[str, str], device: str, outcomes: Iterable[Outcome], source: Sequence[Step] = ()
) -> Measured:
    """Return what outcomes say of a cell.

    Args:
        cell: key of the variant and name of the runner.
        device: of the runner.
        outcomes: of the steps that a budget of the cell goes by.
        source: the profile step of the source that a speed-up is measured against.
    """
    known = {(outcome.step, outcome.key, outcome.runner): outcome for outcome in outcomes}
    making = next((o for (step, key, _), o in known.items() if step in ("export", "convert") and key == cell[0]), None)
    checked = facts_of(known.get(("correctness", *cell)), CorrectnessFacts)
    own = facts_of(known.get(("profile", *cell)), ProfileFacts).result
    origin = [facts_of(known.get(("profile", step.key, step.runner)), ProfileFacts).result for step in source]
    return Measured(
        (own,) if own else (),
        tuple(filter(None, origin)),
        device,
        facts_of(making, MakingFacts).bytes,
        checked.nodes,
        checked.graph_breaks,
        facts_of(making, MakingFacts).delegated,
    )


def judge(limit: Limit, measured: Measured) -> BudgetFacts:
    """Judge what was measured by one limit. What was not recorded fails: a check that cannot fail is none.

    Args:
        limit: of a kind that `BOUNDS` has.
    """
    bound = BOUNDS[limit.bound]
    values, why = (_time if limit.bound in TIMES else RULES[limit.bound])(limit.bound, measured)
    allowed = 0.0 if bound.switch else limit.value
    good = (lambda value: value > allowed) if bound.sign == ">" else (lambda value: value <= allowed)
    size = next((p.batch_size for p in measured.profiles), None) if bound.measured else None
    kept = any(map(good, values))
    return BudgetFacts(limit.name, limit.bound, size, allowed, bound.unit, values, kept, why)


Found = tuple[tuple[float, ...], str]
"""The values of the tries, and what a reader must know of them."""


def _time(bound: str, measured: Measured) -> Found:
    own = {"avg": "avg_latency"}.get(bound, f"{bound}_latency")
    values = tuple(p.fastest.get(bound, getattr(p, own)) for p in measured.profiles)
    old = "" if all(p.fastest for p in measured.profiles) else "of all calls: fastest windows were not recorded"
    return _told(values, measured, old)


def _memory(bound: str, measured: Measured) -> Found:
    peaks = [p.peak_gpu_memory if measured.device == "cuda" else p.peak_memory for p in measured.profiles]
    values = tuple(peak for peak in peaks if peak is not None)
    return values, "" if values else "the peak of the memory could not be measured here"


def _speedup(bound: str, measured: Measured) -> Found:
    if not measured.sources:
        return (), "the source was not measured on this kind of device at this batch size"
    before, _ = _time("p50", replace(measured, profiles=measured.sources))
    latencies, _ = _time("p50", measured)
    # What disturbs makes slower: the fastest source so far is the one that nothing has disturbed.
    pairs = zip(accumulate(before, min), latencies, strict=False)
    notes = dict.fromkeys(filter(None, map(caveat, measured.sources)))
    values = tuple(source / latency for source, latency in pairs if latency > 0)
    return _told(values, measured, f"the source: {'; '.join(notes)}" if notes else "")


def _told(values: tuple[float, ...], measured: Measured, more: str) -> Found:
    notes = dict.fromkeys(filter(None, (*(caveat(p) for p in measured.profiles), more)))
    return values, "; ".join(notes)


def _size(bound: str, measured: Measured) -> Found:
    if measured.size is None:
        return (), "the size of the artifact was not recorded"
    return (measured.size / 2**20,), ""


def _offload(bound: str, measured: Measured) -> Found:
    nodes, problem = _recorded(measured)
    return ((), problem) if nodes is None else ((float(sum(nodes.elsewhere.values())),), _said(nodes))


def _cpu_nodes(bound: str, measured: Measured) -> Found:
    nodes, problem = _recorded(measured)
    return ((), problem) if nodes is None else ((float(nodes.elsewhere.get(CPU, 0)),), _said(nodes))


def _recorded(measured: Measured) -> tuple[NodeAssignment | None, str]:
    if measured.nodes is None:
        return None, "this runner does not tell where its nodes run"
    problem = measured.nodes.unrecorded or ("" if measured.nodes.nodes else "ONNX Runtime told of no node")
    return (None, problem) if problem else (measured.nodes, "")


def _said(nodes: NodeAssignment) -> str:
    return nodes.text or (
        f"all {nodes.total} nodes are on the CPU, as they are meant to be" if nodes.meant == CPU else ""
    )


def _graph_breaks(bound: str, measured: Measured) -> Found:
    if measured.graph_breaks is None:
        return (), "this runner does not tell of graph breaks: it is none of torch.compile"
    return (float(measured.graph_breaks.count),), measured.graph_breaks.places


def _delegated(bound: str, measured: Measured) -> Found:
    if measured.delegated is None:
        return (), "this format does not tell which nodes are delegated: it is none of ExecuTorch"
    return (measured.delegated.share,), measured.delegated.text


# By the name of the bound; the times have one rule.
RULES: dict[str, Callable[[str, Measured], Found]] = {
    "size": _size,
    "memory": _memory,
    "speedup": _speedup,
    "full_offload": _offload,
    "cpu_nodes": _cpu_nodes,
    "delegated": _delegated,
    "graph_breaks": _graph_breaks,
}

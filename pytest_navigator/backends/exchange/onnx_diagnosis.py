"""The first value that an ONNX file computes otherwise than its source.

The right values are those of the exported program that the file was made of, run operation by operation; its names are
in the file. "Cut every edge": in one session each value that has a right one is an output, and whoever reads it reads
the right one, so that each error is its own. First of all it is asked whether the file is right without the runtime's
optimizer: then that is to blame, and the value that it must not fuse away is told.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from pytest_navigator.backends.exchange.onnx_origin import of_origin, origin
from pytest_navigator.backends.onnx.cutting import marked
from pytest_navigator.backends.onnx.probing import Probe, bisected, groups
from pytest_navigator.backends.onnx.runners import OnnxRunner
from pytest_navigator.comparison.divergence import EXPORT, FUSION, RUNTIME, Divergence, first_divergence, no_divergence
from pytest_navigator.comparison.local_errors import described, local_error
from pytest_navigator.errors import NotApplicable
from pytest_navigator.formats.diagnosis import Diagnosis, save_evidence
from pytest_navigator.runners.spec import runner_class
from pytest_navigator.samples.array_folder import ArrayFolder

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import numpy as np

    from pytest_navigator.comparison.divergence import Segment
    from pytest_navigator.formats.diagnosis import Question
    from pytest_navigator.formats.stack_lines import Place
    from pytest_navigator.frameworks.base import Source

    Arrays = Mapping[str, np.ndarray]

CUT = "cut every edge"
OPTIMIZER = "with and without the optimizer"
BETTER = 3  # Times that the error must be smaller without the optimizer: what is near its limit is right by accident
MOST_EVALUATED = 2**24  # B of a file that the reference evaluator, which is Python, is asked about
NO_REFERENCE = (
    "the file computes something else without any optimizer too, and nothing tells its right values: it was made by "
    "{}, without an ExportedProgram that could be run value by value"
)


@dataclass(frozen=True)
class Right:
    """What the values of a file should be.

    Attributes:
        values: by name.
        places: of operations, by the name of their value.
        verdict: what it means where the file's own value is another. method: how they were had.
    """

    values: Arrays
    places: Mapping[str, Place]
    verdict: str
    method: str


class OnnxDiagnosis(Diagnosis):
    """Of an ONNX file in ONNX Runtime."""

    needs_model: ClassVar[bool] = False

    def asks_model(self, question: Question) -> bool:
        """Whether the live model tells more: of the program that a file was made of, or of a file that has none."""
        from pytest_navigator.backends.torch.program_values import PROGRAM

        return question.artifact().with_name(PROGRAM).exists() or _is_traced(question) or bool(origin(question))

    def capture(self, source: Source, question: Question) -> None:
        """Run the live model once, and see what its modules take and give, if that can be seen."""
        from pytest_navigator.backends.torch.diagnosis import TorchScriptDiagnosis

        with suppress(Exception):  # a file can be looked into without it
            (origin(question) or TorchScriptDiagnosis()).capture(source, question)

    def compare(self, question: Question) -> Divergence:
        """Ask the optimizer first, then cut every edge."""
        kind = runner_class(question.runner)
        found: Any = kind if issubclass(kind, OnnxRunner) else OnnxRunner
        try:
            return of_file(question, question.key, found)
        except NotApplicable:
            if before := of_origin(question):
                return before
            raise


def of_file(question: Question, key: str, runner: type[OnnxRunner]) -> Divergence:
    """Return the divergence of an ONNX file of the suite.

    Args:
        key: of its variant. runner: what runs it.
    """
    variant = question.variants[key]
    probe = Probe(runner(question.artifact(key), question.signature, variant.parameters))
    feed, expected = question.feed(), question.expected()
    return by_optimizer(question, probe, feed, expected) or _cut(question, key, probe, feed, expected)


def is_right(question: Question, found: Arrays, expected: Arrays) -> bool:
    """Whether outputs pass the rules of the comparison that failed."""
    from pytest_navigator.comparison.correctness import Comparison

    comparison = Comparison(question.rules)
    comparison.add(question.case.sample, question.case.kind, expected, found)
    return not any(report.problem for report in comparison.reports())


def _worst(found: Arrays, expected: Arrays) -> float:
    return max((local_error(found[name], expected[name]) for name in expected if name in found), default=0.0)


def by_optimizer(question: Question, probe: Probe, feed: Arrays, expected: Arrays) -> Divergence | None:
    """Return that the optimizer is to blame, None if the file is no better without it."""
    plain = probe.whole(feed, optimized=False)
    optimized = probe.whole(feed)
    error = _worst(optimized, expected)
    if not (is_right(question, plain, expected) and _worst(plain, expected) * BETTER <= error):
        return None

    def enough(names: Sequence[str]) -> bool:
        if question.left < 0:
            return False
        found = probe.whole(feed, marked(probe.model, names))
        return is_right(question, found, expected) and _worst(found, expected) * BETTER <= error

    names = [name for name in probe.nodes if name not in probe.outputs]
    kept = bisected(names, enough) if names and enough(names) else []
    found = Divergence(
        FUSION,
        OPTIMIZER,
        "it is right with graph_optimization_level = ORT_DISABLE_ALL" + _if_kept(kept),
        error=error,
        compared=len(names),
    )
    if len(kept) == 1:
        module, operator, location = probe.place(kept[0], {})
        node = probe.nodes[kept[0]].name
        found = replace(found, value=kept[0], operator=operator, node=node, module=module, location=location)
    return _with_optimizer_script(question, probe, found, feed, expected, optimized)


def _if_kept(names: Sequence[str]) -> str:
    return f", and where {names[0]} is an output too" if len(names) == 1 else ""


def _with_optimizer_script(
    question: Question, probe: Probe, found: Divergence, feed: Arrays, expected: Arrays, actual: Arrays
) -> Divergence:
    from pytest_navigator.backends.onnx.diagnosis_scripts import optimizer_script
    from pytest_navigator.configuration.foreign_options import SESSION_OPTIONS

    given = dict(probe.runner.parameters.get("custom_args", {}).get(SESSION_OPTIONS, {}))
    level = given.pop("graph_optimization_level", "ORT_ENABLE_ALL")
    lines = [f"options.{n}(*{v!r})" if isinstance(v, list) else f"options.{n} = {v!r}" for n, v in given.items()]
    title = f"{found.place or question.cell}: {probe.path.name} with and without the optimizer of ONNX Runtime."
    script = optimizer_script(title, probe.path.name, probe.outputs, probe.runner.providers(), lines, level)
    evidence, script = save_evidence(question, probe.named(feed), expected, actual, script)
    return replace(found, evidence=evidence, script=script)


def _cut(question: Question, key: str, probe: Probe, feed: Arrays, expected: Arrays) -> Divergence:
    right = _right(question, key, probe, feed, expected)
    names, given = probe.comparable(right.values), probe.named(feed)
    # No others: an initializer may have the name of a value, and its own numbers.
    values = {name: right.values[name] for name in names}
    segments: list[Segment] = []
    for group in groups(names, values):
        if question.left < 0:
            break
        segments += probe.local(group, values, given, right.places)
    found = first_divergence(segments, right.verdict, right.method)
    if found is None:
        found = _of_export(question, key) or no_divergence(segments, right.method)
    else:
        found = _with_segment(question, probe, found, values, given)
    if len(segments) < len(names):
        short = f"cut short after {question.seconds:g} s: {len(segments)} of {len(names)} values were compared"
        found = replace(found, reason="; ".join(filter(None, [found.reason, short])))
    return found


def _with_segment(question: Question, probe: Probe, found: Divergence, right: Arrays, given: Arrays) -> Divergence:
    """Leave the part of the file that is to blame, what goes into it, and what comes out."""
    import onnx

    from pytest_navigator.backends.onnx.diagnosis_scripts import segment_script

    part, inputs = probe.part(found.value, right, given)
    actual = probe.run(part, inputs)
    title = f"{found.place}: what ONNX Runtime gives for this part of {probe.path.name} alone, from right inputs."
    script = segment_script(title, found.value, probe.runner.providers())
    evidence, script = save_evidence(question, inputs, {found.value: right[found.value]}, actual, script)
    onnx.external_data_helper.load_external_data_for_model(part, str(probe.path.parent))
    onnx.save_model(part, question.root / evidence / "segment.onnx")
    return replace(found, inputs=tuple(described(array) for array in inputs.values()), evidence=evidence, script=script)


def _right(question: Question, key: str, probe: Probe, feed: Arrays, expected: Arrays) -> Right:
    """Return the right values of a file, by the best of what there is.

    Raises:
        NotApplicable: nothing tells them.
    """
    program = _program(question, key)
    if program is not None:
        return _of_program(question, program, probe, feed)
    if _is_traced(question) and (right := _of_modules(question, probe, feed, expected)):
        return right
    by_runtime = _by_runtime(question, probe, feed, expected) or _by_evaluator(question, probe, feed, expected)
    if by_runtime is not None:
        return by_runtime
    maker = " ".join(filter(None, [probe.model.producer_name, probe.model.producer_version]))
    raise NotApplicable(NO_REFERENCE.format(maker or "something that does not say its name"))


def _program(question: Question, key: str) -> Any:
    """Return the program that a file was made of: what was kept, or made again from an exported one; None: neither."""
    from pytest_navigator.backends.torch.program_values import PROGRAM
    from pytest_navigator.backends.torch.programs import load_program

    kept = question.artifact(key).with_name(PROGRAM)
    if kept.exists():
        return load_program(kept)
    if question.variants[key].parameters.get("engine") != "dynamo":
        return None
    there = (question.artifact(v.key) for v in question.variants.values() if v.format == "torch-exportedprogram")
    exported = next((path for path in there if path.is_file()), None)
    return None if exported is None else _decomposed(exported)


def _of_export(question: Question, key: str) -> Divergence | None:
    """Return where the program of a file that is right by it is wrong itself; None where nothing tells."""
    from pytest_navigator.backends.torch.diagnosis import of_program
    from pytest_navigator.backends.torch.program_values import PROGRAM

    return of_program(question, question.artifact(key).with_name(PROGRAM))


def _decomposed(path: Path) -> Any:
    """Return a program in the operations that the exporter to ONNX takes it apart into."""
    import torch

    from pytest_navigator.backends.torch.onnx_export import quiet
    from pytest_navigator.backends.torch.programs import load_program
    from pytest_navigator.formats.exporting import exporter

    with exporter("torch.onnx.export"), quiet(), torch.no_grad():
        made: Any = torch.onnx.export(load_program(path), (), None, dynamo=True, verbose=False)
    return made.exported_program


def _of_program(question: Question, program: Any, probe: Probe, feed: Arrays) -> Right:
    from pytest_navigator.backends.torch.arrays import from_numpy
    from pytest_navigator.backends.torch.program_values import device_of, output_names, places, run

    device, kept = device_of(program), ArrayFolder(question.references)
    # The outputs have the signature's names in the file.
    renamed = dict(zip(output_names(program), probe.outputs, strict=False))
    inputs = [from_numpy(feed[spec.name], device) for spec in question.signature.inputs]
    run(program, inputs, lambda name, array: kept.add(renamed.get(name, name), array))
    known = {renamed.get(name, name): place for name, place in places(program).items()}
    return Right(kept, known, EXPORT, CUT)


def _is_traced(question: Question) -> bool:
    """Whether a file was made of a live model by torch's exporter by TorchScript, which keeps no program."""
    parameters = question.variant.parameters
    live = question.signature.array_type == "torch" and not parameters.get("from")
    return live and parameters.get("engine") in ("trace", "script")


def _of_modules(question: Question, probe: Probe, feed: Arrays, expected: Arrays) -> Right | None:
    """Return what the modules of the live model gave, as far as the file has such values; None: nobody ran it."""
    from pytest_navigator.backends.exchange.onnx_modules import given_by, places_of, values_of_modules
    from pytest_navigator.backends.torch.diagnosis import CALLS
    from pytest_navigator.backends.torch.diagnosis.calls import load_calls

    path = question.references / CALLS
    if not path.exists():
        return None
    calls = load_calls(path)
    given = given_by(calls)
    values = values_of_modules(probe.model, given)
    own = probe.run(marked(probe.model, list(values)), probe.named(feed), list(values))
    found = {name: call for name, call in values.items() if own[name].shape == given[call].shape}
    # The outputs are known too, whatever module they leave.
    outputs = dict(zip(probe.outputs, probe.results, strict=True))
    right = {name: given[call] for name, call in found.items()}
    right |= {name: expected[result] for name, result in outputs.items()}
    lines = {call.path: call.place for call in calls}
    places = places_of(probe.model, {**dict.fromkeys(outputs, ""), **found}, lines)
    return Right(right, places, EXPORT, f"{CUT} between modules")


def _by_runtime(question: Question, probe: Probe, feed: Arrays, expected: Arrays) -> Right | None:
    """Return what ONNX Runtime computes on the CPU without its optimizer, if that is right."""
    plain = Probe(OnnxRunner(probe.path, question.signature, probe.runner.parameters))
    if not is_right(question, plain.whole(feed, optimized=False), expected):
        return None
    found = plain.run(marked(plain.model, list(plain.nodes)), plain.named(feed), list(plain.nodes), optimized=False)
    return Right(found, {}, RUNTIME, f"{CUT}, right by ONNX Runtime on the CPU without its optimizer")


def _by_evaluator(question: Question, probe: Probe, feed: Arrays, expected: Arrays) -> Right | None:
    """Return what the onnx reference evaluator computes, if that is right and does not take too long."""
    import onnx
    from onnx.reference import ReferenceEvaluator

    if probe.path.stat().st_size > MOST_EVALUATED:
        return None
    try:
        evaluator = ReferenceEvaluator(onnx.load(probe.path))
        found = evaluator.run(None, probe.named(feed), intermediate=True)
    except Exception:  # of an operator that it does not know
        return None
    outputs = dict(zip(probe.results, (found[name] for name in probe.outputs), strict=True))
    if not is_right(question, outputs, expected):
        return None
    known = {name: found[name] for name in probe.nodes if hasattr(found.get(name), "dtype")}
    return Right(known, {}, RUNTIME, f"{CUT}, right by the onnx reference evaluator")

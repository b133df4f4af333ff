"""Where a PyTorch artifact first computes something else than the live model: what formats and runners name."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

from pytest_navigator.comparison.divergence import FUSION, Divergence
from pytest_navigator.errors import NotApplicable
from pytest_navigator.formats.diagnosis import Diagnosis
from pytest_navigator.formats.local_values import clearly_right
from pytest_navigator.runners.spec import runner_class

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import torch

    from pytest_navigator.backends.torch.diagnosis.calls import ModuleCall
    from pytest_navigator.backends.torch.runners import TorchRunner
    from pytest_navigator.backends.torch.torchscript_runners import TorchScriptRunner
    from pytest_navigator.formats.diagnosis import Question
    from pytest_navigator.frameworks.base import Source

# Below `Question.references`: what the live modules took and gave, and what has been found out in their process.
CALLS, FOUND = "calls.pt", "found.json"


INTERPRETED = "torch.fx interpretation, cut at every module"
OF_PROGRAM = "torch.export traces it so: the file is what the exported program is"
SPARE = 5.0  # s that are left for what follows the comparison
WARM = 3  # Calls after which TorchScript has optimized


class TorchDiagnosis(Diagnosis):
    """Compares with what hooks catch of the live modules."""

    def asks_model(self, question: Question) -> bool:
        """Whether the model itself is needed: always."""
        return True

    def capture(self, source: Source, question: Question) -> None:
        """Run the live model once, with hooks."""
        capture(source, question)


class TorchScriptDiagnosis(TorchDiagnosis):
    """Calls each submodule of the file with what the live one got."""

    def compare(self, question: Question) -> Divergence:
        """Ask first whether TorchScript's optimizer is to blame, then each module."""
        from pytest_navigator.backends.torch.diagnosis.errors import TORCH
        from pytest_navigator.backends.torch.diagnosis.modules import ScriptModules, compared
        from pytest_navigator.formats.local_values import judged

        with _runner(question) as active:
            runner = cast("TorchScriptRunner", active)
            if _is_optimizer(runner, question):
                return Divergence(FUSION, reason="right with torch.jit.optimized_execution(False)")
            calls = _calls(question, runner)
            prefix, traced = "model" if runner.flat else "", question.variant.parameters.get("jit_type") == "trace"
            with runner.mode():
                modules = ScriptModules(runner.module, prefix, calls, traced=traced)
                found, skipped = compared(calls, modules, time.monotonic() + question.left - SPARE)
        return judged(question, TORCH, found, "each module on the live one's inputs", skipped)


class ExportedProgramDiagnosis(TorchDiagnosis):
    """Interprets the program; what enters and leaves each module is set right on the way."""

    def compare(self, question: Question) -> Divergence:
        """Interpret it once."""
        from pytest_navigator.backends.torch.diagnosis.errors import TORCH
        from pytest_navigator.backends.torch.diagnosis.nodes import CutEdges
        from pytest_navigator.formats.local_values import judged

        with _runner(question) as runner:
            program = cast("torch.fx.GraphModule", runner.module)
            run = CutEdges(program, _calls(question, runner), prefix="model")
            args, _ = runner.arguments(runner.tensors(question.feed()))
            with runner.mode():
                run.run(*args)
        return judged(question, TORCH, run.found, INTERPRETED, {})


class CompileDiagnosis(TorchDiagnosis):
    """Compiles modules alone, where the live model is."""

    def capture(self, source: Source, question: Question) -> None:
        """Find out all there is to know."""
        from pytest_navigator.backends.torch.diagnosis.compiled import divergence
        from pytest_navigator.core.plain import save

        save(question.references / FOUND, divergence(source, question))

    def compare(self, question: Question) -> Divergence:
        """Return what `capture` has found."""
        from pytest_navigator.core.plain import load

        return load(question.references / FOUND, Divergence)


def capture(source: Source, question: Question) -> None:
    """Run the live model once, with hooks, and keep what its modules take and give.

    Raises:
        NotApplicable: it takes none.
    """
    from pytest_navigator.backends.torch.diagnosis.calls import save_calls
    from pytest_navigator.backends.torch.diagnosis.live import live_calls

    save_calls(live_calls(source, question), question.references / CALLS)


def of_program(question: Question, path: Path) -> Divergence | None:
    """Return where the program that an ONNX file was made of is no longer the live model; None: nowhere, or unknown.

    Args:
        path: of the program; what the live modules took and gave is known if `capture` has run.
    """
    if not (path.exists() and (question.references / CALLS).exists()):
        return None
    import torch

    from pytest_navigator.backends.torch.arrays import from_numpy
    from pytest_navigator.backends.torch.diagnosis.calls import load_calls
    from pytest_navigator.backends.torch.diagnosis.errors import TORCH
    from pytest_navigator.backends.torch.diagnosis.nodes import CutEdges
    from pytest_navigator.backends.torch.program_values import device_of
    from pytest_navigator.backends.torch.programs import load_program
    from pytest_navigator.formats.local_values import judged

    program = load_program(path)
    device, feed = device_of(program), question.feed()
    run = CutEdges(program.module(), load_calls(question.references / CALLS, device), prefix="model")
    with torch.no_grad():
        run.run(*(from_numpy(feed[spec.name], device) for spec in question.signature.inputs))
    found = judged(
        question, TORCH, run.found, INTERPRETED, {}, reason=OF_PROGRAM, artifact=str(path.relative_to(question.root))
    )
    return found if found.value else None


@contextmanager
def _runner(question: Question) -> Iterator[TorchRunner]:
    kind = runner_class(question.runner)
    with kind(question.artifact(), question.signature, question.variant.parameters) as runner:
        yield cast("TorchRunner", runner)


def _calls(question: Question, runner: TorchRunner) -> list[ModuleCall]:
    from pytest_navigator.backends.torch.diagnosis.calls import load_calls

    if not (calls := load_calls(question.references / CALLS, runner.device)):
        raise NotApplicable("the live model has called no module that can be looked into")
    return calls


def _is_optimizer(runner: TorchRunner, question: Question) -> bool:
    """Whether the file is right when TorchScript runs it as it is."""
    import torch

    feed = question.feed()
    for _ in range(WARM):
        before = runner.infer(feed)
    with torch.jit.optimized_execution(False):
        return clearly_right(question, runner.infer(feed), before)

"""`torch.compile`: modules are compiled alone, from the whole model down to what is wrong by itself."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from pytest_navigator.backends.torch.diagnosis.calls import load_calls, save_calls, tensors_in
from pytest_navigator.backends.torch.diagnosis.errors import TORCH, innermost
from pytest_navigator.backends.torch.diagnosis.live import live_calls
from pytest_navigator.backends.torch.diagnosis.modules import Unmatched, compared, copies
from pytest_navigator.backends.torch.runners import TorchCompileRunner, compile_options, moved_copy, own_frame
from pytest_navigator.backends.torch.source import TorchSource, calling
from pytest_navigator.comparison.divergence import EXPORT, ROUNDING, RUNTIME
from pytest_navigator.formats.local_values import judged, right

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_navigator.backends.torch.diagnosis.calls import ModuleCall
    from pytest_navigator.comparison.divergence import Divergence
    from pytest_navigator.core.plain import Parameters
    from pytest_navigator.formats.diagnosis import Question
    from pytest_navigator.formats.local_values import Local
    from pytest_navigator.frameworks.base import Source

SPARE = 10.0  # s that one more compilation may take; with less left, none is begun
CALLS = "calls.pt"


class Stage(NamedTuple):
    """A part of torch.compile: the backend that stops after it, and what it says if the model is wrong by then."""

    backend: str
    reason: str


STAGES = (
    Stage("eager", "TorchDynamo traces it so: the graph is wrong when it is run eagerly, too"),
    Stage("aot_eager", "AOTAutograd makes it so: the graph is right before it, and wrong when it is run eagerly after"),
)


def divergence(source: Source, question: Question) -> Divergence:
    """Find the part of torch.compile that is wrong, then the module. Runs where the live model is.

    Raises:
        NotApplicable: the model takes no hooks.
    """
    assert isinstance(source, TorchSource)
    device = question.runner.device
    save_calls(live_calls(source, question), question.references / CALLS)
    calls = load_calls(question.references / CALLS, device)
    same = source.device().partition(":")[0] == device
    model = source.model if same else moved_copy(source.model, device)
    options = compile_options(question.variant.parameters)
    stage = next((stage for stage in STAGES if _is_wrong(source, question, stage)), None)
    compiled = Compiled(model, {**options, "backend": stage.backend} if stage else options, question)
    found, skipped = compiled.descended(calls)
    reason = stage.reason if stage else f"the graph is right when it is run eagerly: {options['backend']} makes it so"
    return judged(
        question,
        TORCH,
        found,
        "each module compiled alone",
        skipped,
        verdict=EXPORT if stage else RUNTIME,
        reason=reason,
    )


def _is_wrong(source: Source, question: Question, stage: Stage) -> bool:
    """Whether the outputs are when torch.compile ends after a stage."""
    variant = question.variant
    given = variant.parameters.get("custom_args", {})
    # Options and modes are a backend's own.
    kept = {name: value for name, value in given.items() if name not in ("mode", "options")}
    parameters: Parameters = {**variant.parameters, "custom_args": {**kept, "backend": stage.backend}}

    class Staged(TorchCompileRunner):
        device = question.runner.device

    with Staged(source, question.signature, parameters) as runner:
        return not right(question, runner.infer(question.feed()))


class Compiled:
    """The modules of a model, each compiled with the same options."""

    def __init__(self, model: torch.nn.Module, options: dict[str, Any], question: Question) -> None:
        self._modules = dict(model.named_modules())
        self._options = options
        self._question = question

    def descended(self, calls: Sequence[ModuleCall]) -> tuple[list[Local], dict[str, str]]:
        """Compare the model, then the modules inside of each that is wrong, in the order of their calls."""
        found: list[Local] = []
        skipped: dict[str, str] = {}
        waiting = [""]
        while waiting:
            paths = {path for each in waiting for path in (_inside(each, calls) if found else [each])}
            until = time.monotonic() + self._question.left - SPARE
            errors, left_out = compared([call for call in calls if call.path in paths], self._run, until)
            found += errors
            skipped |= left_out
            waiting = list(dict.fromkeys(each.segment.module for each in errors if _is_off(each)))
            waiting += [path for path in left_out if path not in waiting]
        order = [call.path for call in calls]
        return innermost(sorted(found, key=lambda each: order.index(each.segment.module))), skipped

    def _run(self, call: ModuleCall) -> tuple[list[torch.Tensor], tuple[str, ...]]:
        if call.unkept:
            raise Unmatched(f"it takes a {call.unkept}")
        module = torch.compile(own_frame(self._modules[call.path]), **self._options)
        with calling(self._question.variant.parameters, self._question.runner.device):
            return list(tensors_in(module(*copies(call.args), **copies(call.kwargs)))), ()


def _is_off(each: Local) -> bool:
    return each.segment.share > ROUNDING * each.segment.precision


def _inside(path: str, calls: Sequence[ModuleCall]) -> list[str]:
    """Return the modules that one calls: those below it, without those below these."""
    below = {call.path for call in calls if call.path != path and call.path.startswith(f"{path}." if path else "")}
    return [each for each in below if not any(each.startswith(f"{other}.") for other in below)]

"""The live model, run once more on the sample that failed, with hooks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from pytest_navigator.backends.torch.diagnosis.calls import caught_calls
from pytest_navigator.backends.torch.source import TorchSource
from pytest_navigator.errors import NotApplicable
from pytest_navigator.samples.structure import unflatten_call

if TYPE_CHECKING:
    from pytest_navigator.backends.torch.diagnosis.calls import ModuleCall
    from pytest_navigator.formats.diagnosis import Question
    from pytest_navigator.frameworks.base import Source


def live_calls(source: Source, question: Question) -> list[ModuleCall]:
    """Return what every module of the live model takes and gives.

    Raises:
        NotApplicable: it is no module that takes hooks.
    """
    if not isinstance(source, TorchSource):
        raise NotApplicable("there is no live torch.nn.Module to compare with")
    if isinstance(source.model, torch.jit.ScriptModule):
        raise NotApplicable("the live model is a ScriptModule, which takes no hooks")
    feed = {name: source.framework.from_numpy(array) for name, array in question.feed().items()}
    call = unflatten_call(question.signature.input_tree, feed)
    with caught_calls(source.model) as calls:
        source.call(call.args, call.kwargs)
    return calls

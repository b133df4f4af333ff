"""The fixture `nav_pipeline_runner`: the user's pipeline with formats in the places of its modules, called like it."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from pytest_navigator.core.pipeline_facts import EAGER, facts_of_whole
from pytest_navigator.core.steps import Status
from pytest_navigator.errors import StepFailed
from pytest_navigator.plugin.parts import in_child, parts_of, swapping_parts
from pytest_navigator.plugin.whole import WholeItem
from pytest_navigator.text import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from pytest_navigator.pipelines.registry import Forward
    from pytest_navigator.plugin.parts import Parts
    from pytest_navigator.plugin.pipelines import Mix


class PipelineRunner:
    """The user's pipeline with formats in the places of its modules: called like it.

    Attributes:
        mix: "onnx-cpu", or "best".
        modules: name -> what runs: "onnx-cpu", "eager".
        eager: the pipeline as it is.
    """

    def __init__(self, item: WholeItem, mix: Mix, parts: Parts, run: Mapping[str, Forward]) -> None:
        self.mix = "-".join(mix)
        self.modules = {name: part.title for name, part in parts.items()}
        self.eager: Callable[..., Any] = item.live.func
        self._swap = partial(swapping_parts, item.live, parts, run)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the pipeline once."""
        __tracebackhide__ = True
        with self._swap():
            return self.eager(*args, **kwargs)


@contextmanager
def pipeline_runner(request: pytest.FixtureRequest, mix: Mix) -> Iterator[PipelineRunner]:
    """Give the pipeline with a mix in it; skip where no module has a format."""
    item = WholeItem(request)
    found = item.outcome(mix)
    if not found.passed:
        own = "" if found.status is Status.SKIPPED else f"{found.id} {found.status.value}: "
        pytest.skip(f"{own}{one_line(found.message)}")
    runs = facts_of_whole(found).modules
    parts = {
        name: part if runs[name] != EAGER else part.kept
        for name, part in parts_of(item.whole, mix, item.run, request).items()
    }
    with ExitStack() as stack:
        try:
            run = {name: stack.enter_context(in_child(part)) for name, part in parts.items() if part.key}
        except StepFailed as error:
            pytest.fail(one_line(str(error)), pytrace=False)
        yield PipelineRunner(item, mix, parts, run)

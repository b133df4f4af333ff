"""What a step's entry in `--nav-cache` is called: a digest over all that its outcome depends on.

By content, where `identity.py` goes by the records of one workspace: the bytes of an artifact count, not their origin.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_navigator.core.digests import plain_digest
from pytest_navigator.engine.identity import common
from pytest_navigator.engine.steps import STEPS
from pytest_navigator.errors import NavigatorError

if TYPE_CHECKING:
    from pytest_navigator.engine.context import Context


def name_of(context: Context) -> str:
    """Return the name of the step's entry, a digest of all that it depends on; "" if the step is not cached.

    The live model's own steps are not: nothing but running it tells what it does.
    """
    step = context.step
    if context.host.cache is None or step.step not in context.host.options.cache_steps:
        return ""
    if step.runner and context.runner.live:
        return ""
    try:
        content = STEPS[step.step].content(context)
    except NavigatorError:
        return ""  # the step itself says what is wrong
    if content is None:
        return ""
    return f"{step.step}-{plain_digest({**common(context), **content})}"

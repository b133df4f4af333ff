"""A step's entry in `--nav-cache`: what it holds, and what becomes of it in this run.

Only what passed is kept. A failure (or an expected one) may be the moment's: too little memory, a full disk, a time
limit; it must be looked at and tried again, and no key can know what has been done about it.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_navigator.core.plain import plain, structured
from pytest_navigator.core.privacy import scrubbed_fields, scrubber
from pytest_navigator.core.records import CACHED, Outcome, earlier_text
from pytest_navigator.engine.steps import STEPS
from pytest_navigator.engine.versions import required
from pytest_navigator.errors import NavigatorError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_navigator.core.plain import JSON
    from pytest_navigator.engine.context import Context


def recalled(context: Context, name: str) -> Outcome | None:
    """Return the outcome that an entry has for the step, with its files and scripts in place; None without one."""
    cache = context.host.cache
    entry = cache.read(name) if cache else None
    if cache is None or entry is None or not _possible(context):
        return None
    found = structured(entry.record["outcome"], Outcome)
    try:
        # In the suite's own folder: what is taken is renamed into its place, which works within one file system only.
        with tempfile.TemporaryDirectory(prefix=".cached-", dir=context.folder.path) as folder:
            if not cache.take(entry, Path(folder)):
                return None
            STEPS[context.step.step].restore(context, Path(folder), found.data)
    except OSError as error:
        context.host.warn(f"{cache.shown(name)} could not be used ({error.strerror})")
        return None
    said = earlier_text(CACHED, found.started)
    with context.log.open("a", encoding="utf-8", errors="backslashreplace") as log:
        log.write(f"{context.step.id}: {said}, with this log:\n{entry.record['log']}")
    message = "; ".join(filter(None, (said, found.message)))
    noted = found.noted(cached=found.started)
    return replace(noted, message=message, digest=_digest(context, found), started=_now())


def remember(context: Context, name: str, found: Outcome, logged: int) -> None:
    """Add what a step that passed has left.

    Args:
        logged: size of the log before it.
    """
    with context.log.open("rb") as log:
        log.seek(logged)
        text = log.read().decode(errors="replace")
    paths = STEPS[context.step.step].files(context)
    # The identity is one of this run's settings and records: whoever takes the entry gives it his own.
    record = _portable(context, {"outcome": plain(replace(found, identity="")), "log": text})
    assert context.host.cache is not None
    context.host.cache.add(name, record, paths)


def log_size(context: Context) -> int:
    """Return how much of the variant's log was there before the step."""
    return context.log.stat().st_size if context.log.exists() else 0


def _now() -> str:
    return datetime.now(UTC).isoformat()


def _possible(context: Context) -> bool:
    """Whether this machine has what the step needs: where it lacks that, the step is skipped as without a cache."""
    try:
        return context.missing(required(context)) is None
    except NavigatorError:
        return False


def _portable(context: Context, value: Mapping[str, JSON]) -> dict[str, JSON]:
    """Return plain data without secrets, home folders and the paths of this run."""
    scrub, own = scrubber(), [str(context.folder.path), str(context.host.project)]

    def portable(text: str) -> str:
        for path in own:
            text = text.replace(path, ".")
        return scrub(text)

    return scrubbed_fields(value, portable)


def _digest(context: Context, found: Outcome) -> str:
    """Return the digest of the artifact of this run: a SavedModel of the same content has another one each time."""
    if not context.step.runner:
        return found.digest
    made = context.folder.record(context.suite.matrix.making(context.variant.key).id)
    return made.digest_of(context.variant.key) if made and found.digest else found.digest

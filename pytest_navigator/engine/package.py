"""What a package stands for: its artifacts, samples and recorded outputs are the source, and conversions made anew."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_navigator.core.digests import digest_of
from pytest_navigator.core.facts import as_data
from pytest_navigator.core.plain import save
from pytest_navigator.devices.built_with import BoundFacts
from pytest_navigator.engine import gpu
from pytest_navigator.engine.context import Result
from pytest_navigator.isolation.live_section import live_section

if TYPE_CHECKING:
    from pytest_navigator.core.records import Outcome
    from pytest_navigator.engine.context import Context
    from pytest_navigator.engine.recorded import RecordedModel


def provide(context: Context, package: RecordedModel) -> Result:
    """Write what the package holds into the suite's folder.

    Raises:
        PackageError: a file of it is damaged.
    """
    folder, matrix = context.folder, context.suite.matrix
    with live_section(context.log, context.limit):
        package.extract(folder.path)
        save(folder.path / "signature.json", package.signature)
        artifacts = {key: digest_of(context.artifact(matrix.variants[key])) for key in matrix.provided}
    for outcome in package.verifications:
        if (outcome.key, outcome.runner) in matrix.cells:
            folder.write_verification(outcome.noted(carried=package.path.name))
    built_with = {key: found for key, found in package.built_with.items() if key in artifacts}
    source = package.source.noted(artifacts=artifacts)
    bound = as_data(BoundFacts(brought_built_with=built_with or None))
    return Result({**source.data, **bound}, _note(package), digest_of(package.path))


def telling_of_another(context: Context, found: Outcome) -> Outcome:
    """Return the outcome of a conversion; it says so if the package's own artifact would not run here."""
    package = context.suite.package
    if package is None or context.step.step != "convert" or not found.passed:
        return found
    text = gpu.elsewhere(context, package.built_with.get(context.step.key))
    told = text and f"made again here: what {package.path.name} holds was {text}"
    return replace(found, message="; ".join(filter(None, (told, found.message))))


def _note(package: RecordedModel) -> str:
    note = f"the outputs that {package.path.name} recorded stand for the live model"
    if any(runner.live for runner in package.suite.runners.values()):
        note += ", which no package holds: it has no figures here, and no format a speed-up"
    lost = ", ".join(package.lost())
    return f"{note}; compared by default tolerances here: {lost}" if lost else note

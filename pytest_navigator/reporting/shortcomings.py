"""Why a run in which no test failed is not in order, or what a failed test means for the whole run (pure)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pytest_navigator.configuration.settings import listed
from pytest_navigator.planning import required
from pytest_navigator.records import Status
from pytest_navigator.reporting.report import REPORTED
from pytest_navigator.reporting.report import cell_ids
from pytest_navigator.reporting.report import cell_texts
from pytest_navigator.reporting.report import unchecked

if TYPE_CHECKING:
    from collections.abc import Mapping
    from collections.abc import Sequence

    from pytest_navigator.package.results import Results
    from pytest_navigator.records import JSON


def unfit(results: Results, others: Sequence[str] = ()) -> str:
    """Return why a run that is green must not exit with 0: nothing but the source is right; "" otherwise.

    Args:
        others: names of runners that the settings leave out although this machine could run them.
    """
    checked = [o for o in results.outcomes if o.step == "correctness" and results.variant(o.key).file]
    planned = [
        s for s in results.suite.steps if s.startswith("correctness.") and s.split(".")[1] != results.suite.framework
    ]
    if results.source and not results.source.passed:
        return ""  # that is said already
    if not planned or set(results.missing) & set(planned) or any(o.passed for o in checked):
        return ""
    text = f"no format of {results.suite.name} but the source itself passed correctness"
    if not checked or not all(o.status is Status.SKIPPED and o.requirement and not o.cause for o in checked):
        return text
    runners, lacking = (", ".join(dict.fromkeys(getattr(o, n) for o in checked)) for n in ("runner", "requirement"))
    return f"{text}: {runners} cannot run here ({lacking}){_could(results.suite.settings, others)}"


def _could(settings: Mapping[str, JSON], others: Sequence[str]) -> str:
    """Return which runners would do, and what to write for them."""
    chosen = {n: s for n in ("runtimes", "device") if (s := settings[n])["value"]}
    if not others or not chosen:
        return ""
    by = " and ".join(f"{n} = {listed(s['value'])} ({s['origin']})" for n, s in chosen.items())
    text = f"; {', '.join(others)} could, but {by} leaves that out"
    if "device" in chosen:
        return text
    return f"{text}; write --nav-runtimes={','.join((*settings['runtimes']['value'], *others))}"


def unreported(results: Results, run_id: str) -> list[str]:
    """Return what failed in this run although no selected test says so: those that need it are skipped."""
    failed = [o for o in results.outcomes if o.status is Status.FAILED and o.step != "verify"]
    hidden = [o for o in failed if o.data.get("run") == run_id and not o.data.get(REPORTED)]
    return [f"{' '.join(filter(None, (o.step, o.key, o.runner)))} failed, and selected tests need it" for o in hidden]


def unmet(results: Results, run_id: str) -> list[str]:
    """Return a line for each reason why something required was not checked in this run, or did not pass."""
    suite = results.suite
    if suite.run != run_id:  # an earlier run's, which this one has not collected
        return []
    steps = [o for o in results.outcomes if o.step in ("source", "export", "convert", "correctness")]
    names = zip(steps, cell_ids(results, [(o.key, o.runner) for o in steps]), strict=True)
    xfail: Mapping[str, str] = suite.settings["xfail"]["value"]
    expected = {outcome.id: xfail[name] for outcome, name in names if name in xfail}
    return required.unmet(suite.required, {outcome.id: outcome for outcome in steps}, expected)


def unverified(results: Results) -> list[str]:
    """Return a line for each output that no comparison and no `verify_` test vouches for.

    A run that left out some of the comparisons, or the `verify_` tests of a cell, says nothing about it.
    """
    planned = {step for step in results.suite.steps if step.startswith("correctness.")}
    if planned & set(results.missing):
        return []
    return [
        f"nobody checks output {output!r} of {results.suite.name} in {cell_texts(results, cells)}: it is unchecked "
        f"({reason}), and no verify_ test passed; write `def verify_{_identifier(output)}(nav_runner): ...` with an "
        "assertion that its values must meet, or give it a comparison (nav.share, nav.cosine, a function)"
        for (output, reason), found in unchecked(results).items()
        if (cells := [cell for cell in found if _needs_verification(results, *cell)])
    ]


def _needs_verification(results: Results, key: str, runner: str) -> bool:
    """Whether `nav_runner` runs this cell, and its tests neither passed nor say themselves why not."""
    files = any(not record.live for record in results.suite.runners.values())
    told = any(outcome.status is Status.FAILED for outcome in results.verifications(key, runner))
    if told or results.unverified(key, runner) or (files and results.suite.runners[runner].live):
        return False
    return not results.verified(key, runner)


def _identifier(output: str) -> str:
    return re.sub(r"\W+", "_", output)

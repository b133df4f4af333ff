"""Why a run in which no test failed is not in order, or what a failed test means for the whole run (pure)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pytest_navigator.configuration.settings import listed
from pytest_navigator.core.kinds import ALL, AUTO
from pytest_navigator.core.steps import Status
from pytest_navigator.core.variants import covers
from pytest_navigator.planning import required
from pytest_navigator.planning.filtered import of_precision
from pytest_navigator.reporting.report import cell_ids, cell_texts, unchecked

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from pytest_navigator.core.plain import JSON
    from pytest_navigator.core.records import SuiteRecord
    from pytest_navigator.package.query.results import Results


UNABLE = "cannot run here"
NOTHING = "no format of"  # How the reason begins that only the source is right


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
    text = f"{NOTHING} {results.suite.name} but the source itself passed correctness"
    if not checked or not all(o.status is Status.SKIPPED and o.requirement and not o.cause for o in checked):
        return text
    runners, lacking = (", ".join(dict.fromkeys(getattr(o, n) for o in checked)) for n in ("runner", "requirement"))
    return f"{text}: {runners} {UNABLE} ({lacking}){_could(results.suite, others)}"


def _could(suite: SuiteRecord, others: Sequence[str]) -> str:
    """Return which runners would do, and what to write for them."""
    chosen = {n: s for n in ("runtimes", "device") if (s := suite.setting(n))["value"] not in (None, AUTO, ALL)}
    if not others or not chosen:
        return ""
    by = " and ".join(f"{n} = {listed(s['value'])} ({s['origin']})" for n, s in chosen.items())
    text = f"; {', '.join(others)} could, but {by} leaves that out"
    if "device" in chosen:
        return text
    return f"{text}; write --nav-runtimes={','.join((*chosen['runtimes']['value'], *others))}"


def unchecked_at_all(results: Results, others: Sequence[str] = ()) -> list[str]:
    """Return why too little was checked for a green run: the settings that left nothing, or that nothing is right."""
    text, told = unfit(results, others), untried(results)
    return [text] if text and (UNABLE in text or not told) else told


def untried(results: Results) -> list[str]:
    """Return a line for each setting of which nothing that it asks for was checked: all of it was skipped or declined.

    Of several names in one setting, those that this machine cannot check are skips, as long as another one was checked.
    A run that left out some of it says nothing about it, nor does one whose model or loader calls `pytest.skip`.
    """
    if results.source and results.source.status is Status.SKIPPED:
        return []
    return [line for name in CHOSEN if (line := _untried(name, results))]


def _untried(name: str, results: Results) -> str:
    setting = results.suite.setting(name)
    steps = CHOSEN[name](results, setting["value"]) if setting["value"] and setting["origin"] != "default" else []
    known = {outcome.id: outcome for outcome in results.outcomes}
    found = [known[step] for step in steps if step in known]
    failed = [o for o in found if o.status is Status.FAILED or known.get(o.cause, o).status is Status.FAILED]
    if not steps or len(found) < len(steps) or failed or any(o.passed for o in found):
        return ""
    reasons = ", ".join(dict.fromkeys(o.requirement or o.message for o in found))
    what = ", ".join(dict.fromkeys(o.key for o in found))
    value = setting["value"]
    objects = any(isinstance(each, dict) for each in value)
    text = f"{name} = {listed(list(results.suite.named) if objects else value)} ({setting['origin']})"
    return f"nothing that {text} asks for was checked: {what} skipped ({reasons})"


def _steps(results: Results, *kinds: str, keys: Sequence[str] | None = None) -> list[str]:
    """Return the ids of steps of the suite, of some kinds and, unless all are meant, some variants."""
    steps = [step.split(".") for step in results.suite.steps]
    found = [step for step in steps if step[0] in kinds]
    return [".".join(step) for step in found if keys is None or any(_is_of(step, key) for key in keys)]


def _is_of(step: Sequence[str], key: str) -> bool:
    return f"{'.'.join(step[1:])}.".startswith(f"{key}.")


def _of_formats(results: Results, names: Sequence[JSON]) -> list[str]:
    """Return the steps of the formats that a setting names, or of all that are named where it has objects too."""
    texts = [name for name in names if isinstance(name, str)]
    named = results.suite.named if len(texts) < len(names) else ()
    keys = [v.key for v in results.suite.variants if v.key in named or any(covers(name, v) for name in texts)]
    return _steps(results, "export", "convert", "correctness", keys=keys)


def _of_precisions(results: Results, names: Sequence[str]) -> list[str]:
    keys = [variant.key for variant in results.suite.variants if of_precision(variant, names)]
    return _steps(results, "export", "convert", "correctness", keys=keys)


def _of_batches(results: Results, sizes: Sequence[int] | str) -> list[str]:
    if isinstance(sizes, str):
        return _steps(results, "throughput")
    ids = {f"batch{size}" for size in sizes}
    return [step for step in _steps(results, "profile") if step.rpartition(".")[2] in ids]


# Setting that chooses what is checked -> ids of the steps that it asks for.
CHOSEN: dict[str, Callable[[Results, Any], list[str]]] = {
    "formats": _of_formats,
    "precisions": _of_precisions,
    "runtimes": lambda results, _: _steps(results, "correctness"),
    "device": lambda results, _: _steps(results, "correctness"),
    "batch_sizes": _of_batches,
}


def unreported(results: Results, run_id: str, agreed: Collection[str] = ()) -> list[str]:
    """Return what failed in this run although no selected test says so: those that need it are skipped.

    Args:
        agreed: ids of the steps that are expected to fail.
    """
    failed = [o for o in results.outcomes if o.status is Status.FAILED and o.step != "verify"]
    hidden = [o for o in failed if o.notes.run == run_id and not o.notes.reported and o.id not in agreed]
    return [f"{' '.join(filter(None, (o.step, o.key, o.runner)))} failed, and selected tests need it" for o in hidden]


def unmet(results: Results, run_id: str) -> list[str]:
    """Return a line for each reason why something required was not checked in this run, or did not pass."""
    suite = results.suite
    if suite.run != run_id:  # an earlier run's, which this one has not collected
        return []
    steps = [o for o in results.outcomes if o.step in ("source", "export", "convert", "correctness", "budget")]
    return required.unmet(suite.required, {outcome.id: outcome for outcome in steps}, foretold(results))


def foretold(results: Results) -> dict[str, str]:
    """Return why `xfail` of nav_config expects steps to fail, by id: a format means its making, a cell its check."""
    steps = [o for o in results.outcomes if o.step in ("export", "convert", "correctness")]
    names = zip(steps, cell_ids(results, [(o.key, o.runner) for o in steps]), strict=True)
    xfail: Mapping[str, str] = results.suite.setting("xfail")["value"] or {}
    return {outcome.id: xfail[name] for outcome, name in names if name in xfail}


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

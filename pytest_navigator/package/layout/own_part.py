"""What Model Navigator's schema has no place for: the key `pytest_navigator` of status.yaml (pure)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_navigator._version import __version__
from pytest_navigator.core.plain import fields_of, plain
from pytest_navigator.package.query.disputed import disputed
from pytest_navigator.package.query.strategies import best

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_navigator.core.plain import JSON
    from pytest_navigator.core.records import Outcome
    from pytest_navigator.package.query.results import Results

SOURCE_KEYS = ("samples", "max_batch_size", "selection", "model", "bitwise")
ASKED = ("atol", "rtol", "comparisons")
# Fields of an outcome that are not in status.yaml: the first is in navigator.log, the second is for resuming.
LONG = ("detail", "identity")
# Fields of a measurement that are not: thousands of numbers, and what else ran on somebody's machine.
OF_THE_MACHINE = ("latencies", "others")


def details(results: Results, *, git: Mapping[str, JSON] | None, complete: bool) -> dict[str, JSON]:
    """Return everything of ours but the files.

    `suite`, `signature` and `steps` have the form of `core.records`, so that they can be read back as such.
    """
    suite, source, winners = results.suite, results.source, best(results)
    return {
        "version": __version__,
        "complete": complete and not results.missing,
        "missing": list(results.missing),
        "unfinished": list(results.unfinished),
        "fingerprint": results.source_facts.fingerprint,
        "git": dict(git) if git else None,
        "source": {key: source.data[key] for key in SOURCE_KEYS if source and key in source.data},
        "tolerances": {key: plain(suite.setting(key)["value"]) for key in ASKED if key in suite.settings},
        "verified": [f"{key}/{runner}" for key, runner in results.cells() if results.verified(key, runner)],
        "verification": [_verification(results, o) for o in results.outcomes if o.step == "verify"],
        "best": {"latency": plain(winners.latency), "throughput": plain(winners.throughput)},
        # A strategy -> the runners that may be better than its choice, which is within the disturbance.
        "disturbed": {name: [each.place for each in others] for name, (_, *others) in disputed(results).items()},
        "steps": {outcome.id: _step(outcome) for outcome in results.outcomes if outcome.step != "verify"},
        "settings": plain(suite.settings),
        # Where the package lies is its reader's business.
        "suite": {name: value for name, value in fields_of(suite).items() if name not in ("package", "settings")},
        "signature": plain(results.signature),
        **_merged(results),
    }


def _merged(results: Results) -> dict[str, JSON]:
    if not results.machines:
        return {}
    return {"machines": plain(results.machines), "others": [_step(outcome) for outcome in results.others]}


def _step(outcome: Outcome) -> dict[str, JSON]:
    record = {name: value for name, value in fields_of(outcome).items() if name not in LONG and value not in ("", {})}
    if outcome.step == "profile" and "result" in outcome.data:
        record["data"] = outcome.data | {"result": _published(outcome.data["result"])}
    return record


def _published(result: JSON) -> JSON:
    """Return what others see of a measurement."""
    if not isinstance(result, dict):
        return result
    return {name: value for name, value in result.items() if name not in OF_THE_MACHINE}


def _verification(results: Results, outcome: Outcome) -> dict[str, JSON]:
    more = {name: value for name, value in outcome.data.items() if name != "nodeid"}
    return {
        "nodeid": outcome.notes.nodeid,
        "key": outcome.key,
        "runner": outcome.runner,
        "status": str(outcome.status),
        "message": outcome.message,
        "digest": outcome.digest,
        "current": results.current(outcome),
        "time": outcome.started,
        "duration": outcome.duration,
        **({"error": outcome.error} if outcome.error else {}),
        **({"data": more} if more else {}),
    }

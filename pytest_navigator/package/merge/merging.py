"""The results of several machines as those of one suite (pure)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pytest_navigator.core.steps import Status
from pytest_navigator.devices import built_with as bound
from pytest_navigator.package.query.results import MADE, Machine, Results, combined

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pytest_navigator.core.records import Outcome, SuiteRecord
    from pytest_navigator.core.variants import Variant

# Which of several outcomes stands for a step about which machines disagree, the first that there is.
WORST = (Status.FAILED, Status.XFAILED, Status.PASSED, Status.SKIPPED)


@dataclass(frozen=True)
class Part:
    """What one package says.

    Attributes:
        name: of its machine, unique among the parts; of the package itself if that was merged before.
        results: every outcome names its machine, and every machine is described.
    """

    name: str
    results: Results


@dataclass(frozen=True)
class Merged:
    """What came out of merging.

    Attributes:
        holders: key -> names of the parts that have the artifact of this variant that counts.
        apart: part and key -> name of the machine whose own engine that part holds, beside the one that counts.
        conflicts: steps and artifacts about which the parts disagree, a line each.
        notes: of which artifacts one was taken, a line each.
    """

    results: Results
    holders: dict[str, list[str]]
    apart: dict[tuple[str, str], str]
    conflicts: tuple[str, ...]
    notes: tuple[str, ...] = ()


def told_apart(packages: Iterable[tuple[str, Results, Machine]]) -> list[Part]:
    """Return packages as parts: machines of one name that are different ones are numbered.

    Args:
        packages: name, results, and what is recorded of the machine.
    """
    known: dict[str, Machine] = {}
    parts = []
    for name, results, machine in packages:
        own = results if results.machines else _renamed(results, {"": name}, {name: machine})
        names = {old: _free(old, record, known) for old, record in own.machines.items()}
        found = _renamed(own, names, {names[old]: record for old, record in own.machines.items()})
        known |= found.machines
        parts.append(Part(name if results.machines else names[name], found))
    return parts


def merge(parts: Sequence[Part]) -> Merged:
    """Merge results of one model. Where parts agree, the first one's outcome stands; the others are kept beside it.

    A skip is no opinion. The part that ran the live model goes before those that were run from its package.
    """
    parts = sorted(parts, key=lambda part: len(part.results.suite.provided))  # stable: in the order given otherwise
    digests, holders, differing = _artifacts(parts)
    apart = {(part.name, key): machine for part, key in differing if (machine := _builder(part.results, key))}
    named = {part.name: part for part in parts}
    files = [(named[holders[key][0]], part, key) for part, key in differing if (part.name, key) not in apart]
    taken = [pair for pair in files if _may_stand(*pair)]
    artifacts = [_different(*pair) for pair in files if pair not in taken]
    foreign = {(part.name, key) for _, part, key in taken}
    chosen: list[Outcome] = []
    others: list[Outcome] = []
    conflicts: list[str] = []
    for outcomes in _by_step(parts).values():
        first, *rest = _ranked(_with_opinion(outcomes), digests)
        standing = not (first.step == "correctness" and (first.notes.machine, first.key) in foreign)
        (chosen if standing else others).append(first)
        others += rest
        if first.step != "source" and len({combined([outcome]) for outcome in (first, *rest)}) > 1:
            conflicts.append(_conflict([first, *rest]))
    every = [part.results for part in parts]
    results = replace(
        every[0],
        suite=_suite([one.suite for one in every], {o.key for o in chosen if o.step in MADE and o.passed}),
        outcomes=tuple(sorted(chosen, key=lambda o: o.step == "verify")),
        unfinished=(),
        machines={name: machine for one in every for name, machine in one.machines.items()},
        others=(*others, *(o for one in every for o in one.others)),
    )
    return Merged(results, holders, apart, (*artifacts, *conflicts), tuple(_taken(*pair) for pair in taken))


def _renamed(results: Results, names: Mapping[str, str], machines: Mapping[str, Machine]) -> Results:
    def renamed(outcome: Outcome) -> Outcome:
        return outcome.noted(machine=names[outcome.notes.machine])

    return replace(
        results,
        outcomes=tuple(map(renamed, results.outcomes)),
        others=tuple(map(renamed, results.others)),
        machines=dict(machines),
    )


def _free(name: str, machine: Machine, known: Mapping[str, Machine]) -> str:
    candidates = (name, *(f"{name}-{number}" for number in range(2, len(known) + 3)))
    return next(each for each in candidates if each not in known or known[each] == machine)


def _artifacts(parts: Sequence[Part]) -> tuple[dict[str, str], dict[str, list[str]], list[tuple[Part, str]]]:
    """Return each variant's digest that counts, who holds it, and who holds another one of which variant.

    The one that most runners found to be right counts, the first of several.
    """
    held = [(part, v.key, d) for part in parts for v in part.results.suite.variants if (d := _digest(part.results, v))]
    digests: dict[str, str] = {}
    for _, key, digest in sorted(held, key=lambda one: -_checks(one[0], one[1]).count(Status.PASSED)):
        digests.setdefault(key, digest)
    holders: dict[str, list[str]] = {}
    for part, key, digest in held:
        if digests[key] == digest:
            holders.setdefault(key, []).append(part.name)
    return digests, holders, [(part, key) for part, key, digest in held if digests[key] != digest]


def _checks(part: Part, key: str) -> list[Status]:
    # A skip is no opinion.
    outcomes = (o for o in part.results.outcomes if o.step == "correctness" and o.key == key)
    return [o.status for o in outcomes if o.status is not Status.SKIPPED]


def _may_stand(first: Part, second: Part, key: str) -> bool:
    """Whether the file of the first part may stand for the other's: it is checked, and nothing failed with either.

    Exporters do not always write the same bytes (TorchScript orders constants by their addresses).
    """
    checks = _checks(first, key)
    return bool(checks) and {*checks, *_checks(second, key)} == {Status.PASSED}


def _builder(results: Results, key: str) -> str:
    # An engine is of no use on the other machines.
    made = results.made(key)
    return made.notes.machine if made and bound.recorded(made, key) else ""


def _different(first: Part, second: Part, key: str) -> str:
    return (
        f"{key}: {first.name} and {second.name} made different files, which were not both found to be right; run one "
        "of them from the package of the other (--nav-model=PACKAGE)"
    )


def _taken(first: Part, second: Part, key: str) -> str:
    checked = "both were checked and are right" if _checks(second, key) else f"{second.name} did not check its own"
    return f"{key}: {first.name} and {second.name} made different files: {first.name}'s is taken, {checked}"


def _digest(results: Results, variant: Variant) -> str:
    made = results.made(variant.key) if variant.file else None
    return made.digest_of(variant.key) if made and made.passed else ""


def _by_step(parts: Sequence[Part]) -> dict[tuple[str, str], list[Outcome]]:
    # The verify tests of a runner share an id: theirs are told apart by the test.
    found: dict[tuple[str, str], list[Outcome]] = {}
    for part in parts:
        for outcome in part.results.outcomes:
            found.setdefault((outcome.id, outcome.notes.nodeid), []).append(outcome)
    return found


def _with_opinion(outcomes: list[Outcome]) -> list[Outcome]:
    """Return those that ran, the first one if none did; a verification that a package brought is its own again."""
    ran = [o for o in outcomes if o.status is not Status.SKIPPED] or outcomes[:1]
    return [o for o in ran if not o.notes.carried] or ran[:1]


def _ranked(outcomes: list[Outcome], digests: Mapping[str, str]) -> list[Outcome]:
    """Return first what stands for the step: about the artifact that counts, and the worst if there are several."""

    def rank(outcome: Outcome) -> tuple[bool, int]:
        other = outcome.key in digests and outcome.digest not in ("", digests[outcome.key])
        return other, WORST.index(outcome.status)

    return sorted(outcomes, key=rank)


def _conflict(outcomes: Sequence[Outcome]) -> str:
    said = (f"{o.status} on {o.notes.machine}{f' ({o.message})' if o.message else ''}" for o in outcomes)
    return f"{outcomes[0].notes.nodeid or outcomes[0].id}: {', '.join(said)}"


def _suite(suites: Sequence[SuiteRecord], made: set[str]) -> SuiteRecord:
    """Return the first suite with what only the others have.

    Args:
        made: keys of the variants that a step made, whoever else got them from a package.
    """
    variants: dict[str, Variant] = {}
    for variant in (variant for suite in suites for variant in suite.variants):
        before = variants.setdefault(variant.key, variant)
        runners = dict.fromkeys([*before.runners, *variant.runners])
        variants[variant.key] = replace(before, runners=tuple(runners))
    return replace(
        suites[0],
        variants=tuple(variants.values()),
        runners={name: runner for suite in reversed(suites) for name, runner in suite.runners.items()},
        steps=_union(suite.steps for suite in suites),
        implied=_union(suite.implied for suite in suites),
        named=_union(suite.named for suite in suites),
        provided=tuple(key for key in _union(suite.provided for suite in suites) if key not in made),
        verify={nodeid: cell for suite in reversed(suites) for nodeid, cell in suite.verify.items()},
        elsewhere=_nowhere([suite.elsewhere for suite in suites]),
        lacking={name: text for name, text in suites[0].lacking.items() if all(name in s.lacking for s in suites)},
    )


def _nowhere(every: Sequence[Mapping[str, int]]) -> dict[str, int]:
    # What one machine has left out, another one may have checked.
    return {kind: min(one[kind] for one in every) for kind in every[0] if all(kind in one for one in every)}


def _union(every: Iterable[Iterable[str]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for names in every for name in names))

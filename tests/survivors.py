"""What `mutmut run` has left -> a table, and what survives that survivors.toml does not list: `tox -e mutation`."""

from __future__ import annotations

import json
import sys
import tomllib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

LISTED = Path(__file__).with_suffix(".toml")
LEAST = 0.95
"""Part of the mutants that must be killed."""

DEAD = ("killed", "timeout")
"""A mutant that never ends does not pass."""

UNKNOWN = ("not checked", "check was interrupted by user", "suspicious")
PACKAGE = "pytest_navigator."


@dataclass(frozen=True)
class Survivor:
    """A change that no test notices.

    Attributes:
        where: module and function.
        before, after: the lines that differ.
    """

    where: str
    before: str
    after: str

    @property
    def text(self) -> str:
        """The mutant as survivors.toml lists it."""
        before, after = (json.dumps(lines, ensure_ascii=False) for lines in (self.before, self.after))
        return f'[[mutant]]\nwhere = "{self.where}"\nbefore = {before}\nafter = [{after}]\nwhy = ""\n'


def listed(path: Path = LISTED) -> set[Survivor]:
    """Return the mutants that may survive, each of which has a reason."""
    entries = tomllib.loads(path.read_text(encoding="utf-8"))["mutant"]
    assert all(entry["why"].strip() for entry in entries), "a mutant is listed without a reason"
    return {Survivor(entry["where"], entry["before"], after) for entry in entries for after in entry["after"]}


def statuses(folder: Path) -> dict[str, str]:
    """Return what became of each mutant."""
    from mutmut.stats import status_by_exit_code

    found = [json.loads(path.read_text(encoding="utf-8"))["exit_code_by_key"] for path in folder.rglob("*.py.meta")]
    return {name: status_by_exit_code[code] for codes in found for name, code in sorted(codes.items())}


def survivor(name: str) -> Survivor:
    """Return what a mutant changes."""
    from mutmut.mutation.diff_apply import get_diff_for_mutant

    lines = [line for line in get_diff_for_mutant(name).splitlines() if not line.startswith(("---", "+++"))]
    before, after = ("\n".join(line[1:].strip() for line in lines if line[:1] == sign) for sign in "-+")
    return Survivor(place(name), before, after)


def place(name: str) -> str:
    """Return module and function of a mutant: "comparison.ties.tied" for "pytest_navigator....x_tied__mutmut_3"."""
    module, _, function = name.removeprefix(PACKAGE).rpartition(".")
    return f"{module}.{function.rpartition('__mutmut_')[0].removeprefix('x_').removeprefix('xǁ').replace('ǁ', '.')}"


def table(found: dict[str, str]) -> list[str]:
    """Return a line per module, and one for all."""
    killed, total = Counter[str](), Counter[str]()
    for name, status in found.items():
        for module in (name.removeprefix(PACKAGE).rpartition(".")[0], "all"):
            total[module] += 1
            killed[module] += status in DEAD
    modules = [*sorted(total.keys() - {"all"}), "all"]
    return [f"{m:28} {killed[m]:5} of {total[m]:5} killed: {killed[m] / total[m]:.1%}" for m in modules if total[m]]


def faults(found: dict[str, str], alive: Sequence[Survivor], known: set[Survivor]) -> Iterable[str]:
    """Yield what is wrong: a run that has no end, mutants that nobody expects, a list that is out of date."""
    unknown = [name for name, status in found.items() if status in UNKNOWN]
    if unknown or not found:
        yield f"{len(unknown) or 'all'} mutants were not checked, {unknown[:1]} for example: run mutmut to its end"
    for mutant in dict.fromkeys(alive):
        if mutant not in known:
            yield f"no test kills this mutant, and {LISTED.name} does not say why:\n{mutant.text}"
    for mutant in sorted(known - set(alive), key=str):
        yield f"{LISTED.name} lists a mutant that does not survive; take it out:\n{mutant.text}"
    dead = sum(status in DEAD for status in found.values())
    if dead < LEAST * len(found):
        yield f"{dead} of {len(found)} mutants were killed, which is less than {LEAST:.0%}"


def main() -> int:
    """Print the table and what is wrong; 1 if something is."""
    found = statuses(Path("mutants"))
    alive = [survivor(name) for name, status in found.items() if status not in (*DEAD, *UNKNOWN)]
    wrong = list(faults(found, alive, listed()))
    print("\n".join([*table(found), *wrong]))
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())

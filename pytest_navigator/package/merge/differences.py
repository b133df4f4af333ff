"""What is different between two packages: as `--nav-baseline` judges it, and what that does not ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_navigator.core.facts import profile_result
from pytest_navigator.gates.regression import cell_rows, model_rows, outputs_row, unmeasured_rows
from pytest_navigator.gates.row_text import is_figure
from pytest_navigator.gates.rows import Row, Verdict
from pytest_navigator.gates.vouched import verified_rows
from pytest_navigator.package.merge.same_model import other_outputs
from pytest_navigator.package.sides import side_of
from pytest_navigator.profiling.figures import caveat
from pytest_navigator.profiling.quiet import is_disturbed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_navigator.core.plain import JSON
    from pytest_navigator.core.records import ProfileResult
    from pytest_navigator.gates.sides import Side
    from pytest_navigator.package.container.reader import PackageFile

FAILING = (Verdict.WORSE, Verdict.DIFFERENT)


def differences(first: PackageFile, second: PackageFile, latency: float, most: float | None = None) -> list[Row]:
    """Return what the second package has otherwise than the first.

    Args:
        latency: by what share p50 latencies must differ to be shown: no two runs measure the same.
        most: the share by which artifacts and peak memory may grow; None: that is shown only.
    """
    before, after = side_of(first), side_of(second)
    found = [
        *model_rows(before, after),
        *_other_outputs(first, second),
        *(row for cell in after.cells for row in cell_rows(before, after, cell, most)),
        *verified_rows(before, after),
        *unmeasured_rows(before, after),
        *_environment(first, second),
    ]
    caveats = {**_caveats(before), **_caveats(after)}
    return [_noted(row, caveats) for row in found if _shown(row, latency)]


def _shown(row: Row, latency: float) -> bool:
    if row.topic != "latency":
        # A difference of which nobody tells what it means is none where there is none.
        return row.verdict is not Verdict.SAME and (row.before != row.after or row.before is None)
    assert is_figure(row.before)
    assert is_figure(row.after)
    return abs(row.after - row.before) > latency * row.before


def _noted(row: Row, caveats: dict[str, str]) -> Row:
    if row.topic != "latency" or row.subject not in caveats:
        return row
    return Row(row.topic, row.subject, row.before, row.after, row.verdict, caveats[row.subject])


def _caveats(side: Side) -> dict[str, str]:
    measured = ((cell, *each) for cell in side.cells for each in side.profiles(cell).items())
    found = {f"{side.cell_id(cell)} {batch}": _caveat(profile_result(o)) for cell, batch, o in measured}
    return {subject: text for subject, text in found.items() if text}


def _caveat(result: ProfileResult) -> str:
    return f"disturbed: {caveat(result)}" if is_disturbed(result) else caveat(result)


def _other_outputs(first: PackageFile, second: PackageFile) -> list[Row]:
    # The parameters may be the same, and what is computed from them not.
    return outputs_row(other_outputs((first, first.results), (second, second.results)))


def _environment(first: PackageFile, second: PackageFile) -> list[Row]:
    before, after = (dict(_leaves("", each.status.get("environment") or {})) for each in (first, second))
    names = dict.fromkeys([*before, *after])
    values = ((name, before.get(name), after.get(name)) for name in names)
    return [Row("environment", name, was, now, Verdict.DIFFERENT) for name, was, now in values if was != now]


def _leaves(path: str, value: JSON) -> Iterator[tuple[str, JSON]]:
    if not isinstance(value, dict):
        if value is not None:  # a machine without a GPU
            yield path, value
        return
    for name, inner in value.items():
        yield from _leaves(f"{path}.{name}" if path else str(name), inner)

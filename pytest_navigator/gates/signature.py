"""Whether what calls the model as it was can call it as it is (pure)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_navigator.gates.rows import Row, Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_navigator.core.records import Signature, TensorSpec
    from pytest_navigator.gates.sides import Side

DYNAMIC = -1


def signature_rows(before: Side, after: Side) -> list[Row]:
    """Judge the signature: whatever is another one is worse, but for an axis that has become dynamic."""
    was, now = before.signature, after.signature
    if was is None or now is None:
        return []
    rows = [*_side("input", was.inputs, now.inputs), *_side("output", was.outputs, now.outputs)]
    # Names and order are told already.
    return rows or _structure(was, now)


def _structure(was: Signature, now: Signature) -> list[Row]:
    # Whole structures would be pages.
    trees = {"arguments": was.input_tree != now.input_tree, "return value": was.output_tree != now.output_tree}
    rows = [
        Row("signature", name, None, None, Verdict.WORSE, "they are nested otherwise")
        for name, other in trees.items()
        if other
    ]
    if was.batch_dim != now.batch_dim:
        rows.append(Row("signature", "batch axis", was.batch_dim, now.batch_dim, Verdict.WORSE))
    return rows


def _side(side: str, was: Sequence[TensorSpec], now: Sequence[TensorSpec]) -> list[Row]:
    before, after = ({spec.name: spec for spec in specs} for specs in (was, now))
    rows = [_row(f"{side} {name}", before.get(name), after.get(name)) for name in dict.fromkeys([*before, *after])]
    if before.keys() == after.keys() and list(before) != list(after):
        rows.append(Row("signature", f"order of the {side}s", list(before), list(after), Verdict.WORSE))
    return [row for row in rows if row.verdict is not Verdict.SAME]


def _row(subject: str, was: TensorSpec | None, now: TensorSpec | None) -> Row:
    verdict, reason = _judged(was, now)
    return Row("signature", subject, spec_text(was), spec_text(now), verdict, reason)


def _judged(was: TensorSpec | None, now: TensorSpec | None) -> tuple[Verdict, str]:
    if was is None or now is None:
        return Verdict.WORSE, "it is new" if was is None else "it is gone"
    if was.dtype != now.dtype or len(was.shape) != len(now.shape):
        return Verdict.WORSE, ""
    changed = [axis for axis, sizes in enumerate(zip(was.shape, now.shape, strict=True)) if sizes[0] != sizes[1]]
    if narrowed := [axis for axis in changed if now.shape[axis] != DYNAMIC]:
        dynamic = was.shape[narrowed[0]] == DYNAMIC
        return Verdict.WORSE, f"axis {narrowed[0]} {'was dynamic' if dynamic else 'has another size'}"
    return (Verdict.BETTER, f"axis {changed[0]} is dynamic now") if changed else (Verdict.SAME, "")


def spec_text(spec: TensorSpec | None) -> str | None:
    """Return a tensor for people: "float32[-1, 5]"."""
    return f"{spec.dtype}{list(spec.shape)}" if spec else None

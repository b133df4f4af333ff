"""Runners that are wrong in exactly one way: each is a runner of a format, with the name of its defect for a runtime.

A test's conftest.py takes them into its run. What is wrong is done to what the right runner gives, or to the file.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Arrays = dict[str, np.ndarray]


def changed(name: str, change: Callable[[np.ndarray], np.ndarray]) -> Callable[[Any, Arrays, Arrays], Arrays]:
    """Change one output in every call."""
    return lambda runner, feed, outputs: {**outputs, name: change(outputs[name])}


def at(array: np.ndarray, index: Any, value: Any) -> np.ndarray:
    """Return a copy with another value, or the value of a function of the old one, in one place."""
    copy = array.copy()
    copy[index] = value(copy[index]) if callable(value) else value
    return copy


def as_type(name: str, dtype: str) -> Callable[[Any, Arrays, Arrays], Arrays]:
    """Give one output another type."""
    return changed(name, lambda a: a.astype(dtype))


def rounded(name: str, low: str) -> Callable[[Any, Arrays, Arrays], Arrays]:
    """Round one output to a type of fewer digits and back."""
    import ml_dtypes

    kind = np.dtype(getattr(ml_dtypes, low, low))
    return changed(name, lambda a: a.astype(kind).astype(a.dtype))


def when(condition: Callable[[Any, Arrays], bool]) -> Callable[[Any, Arrays, Arrays], Arrays]:
    """Change the logits by 1 % in some of the calls."""
    return lambda runner, feed, outputs: (
        {**outputs, "logits": outputs["logits"] * np.float32(1.01)} if condition(runner, feed) else outputs
    )


def stale(runner: Any, feed: Arrays, outputs: Arrays) -> Arrays:
    """Give what the last call of these shapes should have given."""
    key = outputs["logits"].shape
    before = runner.kept.get(key, outputs)
    runner.kept[key] = outputs
    return before


def negative(runner: Any, feed: Arrays, outputs: Arrays) -> Arrays:
    below = feed["x"][..., :1] < 0
    return {**outputs, "logits": outputs["logits"] * np.where(below, np.float32(1.01), np.float32(1))}


def softmax(a: np.ndarray) -> np.ndarray:
    grown = np.exp(a - a.max(-1, keepdims=True))
    return grown / grown.sum(-1, keepdims=True)


def neighbour(scores: np.ndarray, ids: np.ndarray) -> np.ndarray:
    return at(ids, (0, 0), np.argsort(scores[0, 0])[0])


OFF = r"max abs .*"
"""How a failure of values begins."""

DEFECTS: dict[str, tuple[Callable[[Any, Arrays, Arrays], Arrays], str]] = {
    "swapped": (lambda r, f, o: {**o, "logits": o["probabilities"], "probabilities": o["logits"]}, f"logits: {OFF}"),
    "five_percent": (changed("logits", lambda a: a * np.float32(1.05)), f"logits: {OFF}max rel 0.05"),
    "one_permille": (changed("logits", lambda a: a * np.float32(1.001)), f"logits: {OFF}"),
    "offset": (changed("logits", lambda a: a + np.float32(2e-3)), f"logits: {OFF}"),
    "one_element": (changed("logits", lambda a: at(a, (-1, -1, 3), lambda v: v + 0.01)), r"logits: .*\[\d,7,3\]"),
    "sign": (changed("logits", np.negative), f"logits: {OFF}max rel 2"),
    "absolute": (changed("logits", np.abs), f"logits: {OFF}"),
    "negatives_lost": (changed("logits", lambda a: np.maximum(a, 0)), f"logits: {OFF}"),
    "clipped": (changed("logits", lambda a: np.clip(a, -0.5, 0.5)), f"logits: {OFF}"),
    "quantized": (changed("logits", lambda a: np.round(a * 128) / np.float32(128)), f"logits: {OFF}"),
    "to_float16": (rounded("logits", "float16"), f"logits: {OFF}"),
    "to_bfloat16": (rounded("logits", "bfloat16"), f"logits: {OFF}"),
    "wide_to_float32": (rounded("wide", "float32"), f"wide: {OFF}"),
    "wide_noise": (changed("wide", lambda a: a * (1 + 1e-8)), f"wide: {OFF}"),
    "third_to_float32": (rounded("third", "float32"), f"third: {OFF}rounded to float32"),
    "nan": (changed("logits", lambda a: at(a, (0, 2, 1), np.nan)), r"logits: nan where the source has .*\[0,2,1\]"),
    "infinity": (changed("pooled", lambda a: at(a, (0, 5), np.inf)), r"pooled: inf where the source has .*\[0,5\]"),
    "transposed": (changed("logits", lambda a: np.swapaxes(a, 1, 2)), f"logits: {OFF}"),
    "another_shape": (changed("pooled", lambda a: a[:, :, None]), r"pooled: shape \(\d,8,1\) where the source has"),
    "without_batch": (changed("pooled", lambda a: a[0] if len(a) == 1 else a), r"pooled: shape \(8,\) where"),
    "a_row_less": (changed("logits", lambda a: a[:, :-1]), r"logits: shape \(\d,7,8\) where the source has \(\d,8,8\)"),
    "last_row": (changed("pooled", lambda a: at(a, -1, lambda v: v * 1.02)), r"pooled: max abs .*\[\d,\d\]"),
    "last_token": (changed("logits", lambda a: at(a, np.s_[:, -1], lambda v: v * 1.02)), r"logits: .*,7,\d\]"),
    "last_column": (changed("logits", lambda a: at(a, np.s_[..., -1], lambda v: v * 1.02)), r"logits: .*,7\]"),
    "first_row_everywhere": (changed("pooled", lambda a: np.repeat(a[:1], len(a), 0)), f"pooled: {OFF}"),
    "rows_reversed": (changed("pooled", lambda a: a[::-1].copy()), f"pooled: {OFF}"),
    "mean_of_the_batch": (changed("pooled", lambda a: np.broadcast_to(a.mean(0), a.shape)), f"pooled: {OFF}"),
    "rolled": (changed("logits", lambda a: np.roll(a, 1, -1)), f"logits: {OFF}"),
    "constant": (changed("logits", lambda a: np.full_like(a, a.mean())), f"logits: {OFF}"),
    "zeros": (changed("logits", np.zeros_like), f"logits: {OFF}"),
    "twice": (changed("probabilities", softmax), f"probabilities: {OFF}"),
    "not_normalized": (changed("probabilities", lambda a: a * np.float32(1.002)), f"probabilities: {OFF}"),
    "float64": (as_type("logits", "float64"), "logits: float64 where the source has float32"),
    "float16": (as_type("logits", "float16"), "logits: float16 where the source has float32"),
    "int32": (as_type("ids", "int32"), "ids: int32 where the source has int64"),
    "bool_as_uint8": (as_type("mask", "uint8"), "mask: uint8 where the source has bool"),
    "wide_as_float32": (as_type("wide", "float32"), "wide: float32 where the source has float64"),
    "off_by_one": (changed("halves", lambda a: a + 1), "halves: max abs 1 .*must be equal; 100 % of elements"),
    "one_off_by_one": (changed("halves", lambda a: at(a, (0, 3), lambda v: v + 1)), r"halves: max abs 1 .*\[0,3\]"),
    "other_class": (lambda r, f, o: {**o, "ids": neighbour(o["logits"], o["ids"])}, r"ids: max abs .*\[0,0\]"),
    "inverted": (changed("mask", np.logical_not), "mask: max abs 1 .*must be equal; 100 % of elements"),
    "one_flag": (changed("mask", lambda a: at(a, (0, 1), np.logical_not)), r"mask: max abs 1 .*\[0,1\]"),
    "scalar": (changed("mean", lambda a: a * np.float32(1.01)), f"mean: {OFF}"),
    "missing": (lambda r, f, o: {n: a for n, a in o.items() if n != "mask"}, "mask: the format does not return this"),
    "too_many": (lambda r, f, o: {**o, "extra": o["mask"]}, "extra: the source has no such output"),
    "largest_shape": (when(lambda r, f: len(f["x"]) == 3), f"logits: {OFF}"),
    "at_batch_1": (when(lambda r, f: len(f["x"]) == 1), f"logits: {OFF}.*at batch 1"),
    "beyond_batch_1": (when(lambda r, f: len(f["x"]) == 2), f"logits: {OFF}"),
    "second_call": (when(lambda r, f: r.calls == 2), f"logits: {OFF}"),
    "after_the_third_call": (when(lambda r, f: r.calls > 3), f"logits: {OFF}"),
    "negative_inputs": (negative, f"logits: {OFF}"),
    "one_sample": (when(lambda r, f: bool(f["x"].flat[0] > 2)), f"logits: {OFF}"),
    "stale": (stale, f"[a-z]*: {OFF}"),
}
"""Name -> what is done to the outputs, and what the failure says."""


def defects_of(turn: int, turns: int) -> list[str]:
    """Return the defects that one of several formats gets: each is planted in one, which keeps the run short."""
    return list(DEFECTS)[turn::turns]


def planted(right: type, prefix: str, turn: int, turns: int) -> dict[str, type]:
    """Return a runner for each defect of a format, on its right runner, by the name of its class."""
    made = {}
    for defect in defects_of(turn, turns):
        change, name = DEFECTS[defect][0], f"{prefix}{defect}"
        made[name] = type(name, (_Planted, right), {"name": name, "runtime": defect, "change": staticmethod(change)})
    return made


class _Planted:
    """Wrong in one way."""

    change: Callable[[Any, Arrays, Arrays], Arrays]

    def activate(self) -> None:
        super().activate()  # type: ignore[misc]
        self.calls, self.kept = 0, dict[Any, Arrays]()

    def infer(self, feed: Mapping[str, np.ndarray]) -> Arrays:
        self.calls += 1
        outputs: Arrays = super().infer(feed)  # type: ignore[misc]
        return type(self).change(self, dict(feed), outputs)


def damaged(right: type, changes: dict[str, Callable[[Any], None]]) -> dict[str, type]:
    """Return a runner for each change of an ONNX file."""
    made = {}
    for defect, change in changes.items():
        name = f"Damaged{defect}"
        own = {"name": name, "runtime": f"file_{defect}", "change": staticmethod(change)}
        made[name] = type(name, (_Damaged, right), own)
    return made


class _Damaged:
    """Runs a file in which one thing is wrong."""

    change: Callable[[Any], None]

    def activate(self) -> None:
        import onnx

        right: Any = self.artifact  # type: ignore[has-type]
        model = onnx.load(right)
        type(self).change(model.graph)
        self.artifact = Path(right).with_name(f"{type(self).__name__}.onnx")
        onnx.save(model, self.artifact)
        super().activate()  # type: ignore[misc]
        self.artifact.unlink()
        self.artifact = right


def weights(change: Callable[[np.ndarray], np.ndarray]) -> Callable[[Any], None]:
    """Change the largest matrix of a graph."""

    def run(graph: Any) -> None:
        from onnx import numpy_helper

        tensor = max((t for t in graph.initializer if len(t.dims) == 2), key=lambda t: t.dims[0] * t.dims[1])
        array = change(numpy_helper.to_array(tensor).copy())
        tensor.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(array), tensor.name))

    return run


def operator(kind: str, other: str, **attributes: Any) -> Callable[[Any], None]:
    """Put another operator in the place of every one of a kind, or give it other attributes."""

    def run(graph: Any) -> None:
        from onnx import helper

        found = [node for node in graph.node if node.op_type == kind]
        assert found, kind
        for node in found:
            node.op_type = other
            for name, value in attributes.items():
                kept = [a for a in node.attribute if a.name != name]
                del node.attribute[:]
                node.attribute.extend([*kept, helper.make_attribute(name, value)])

    return run


FILES: dict[str, Callable[[Any], None]] = {
    "weights_in_half": weights(lambda a: a.astype(np.float16).astype(a.dtype)),
    "one_weight": weights(lambda a: at(a, (0, 0), lambda v: v + 0.05)),
    "pruned": weights(lambda a: np.where(np.abs(a) < 0.05, 0, a).astype(a.dtype)),
    "a_row_of_weights": weights(lambda a: at(a, 0, 0)),
    "weights_in_int8": weights(lambda a: (np.round(a / np.abs(a).max() * 127) / 127 * np.abs(a).max()).astype(a.dtype)),
    "softmax_axis": operator("Softmax", "Softmax", axis=1),
    "tanh_gone": operator("Tanh", "Identity"),
    "tanh_as_sigmoid": operator("Tanh", "Sigmoid"),
}
"""Name -> what is done to the graph."""

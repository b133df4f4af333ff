"""One piece of work."""

from __future__ import annotations

from dataclasses import dataclass

from pytest_navigator.core.records import step_id


@dataclass(frozen=True)
class Step:
    """One piece of work with one outcome; its id in a record, its parameters in an item's id.

    Attributes:
        step: "source", "export", "convert", "correctness", "profile".
        key: of the variant; runner: name of the runner; batch: "batch1", ...
    """

    step: str
    key: str = ""
    runner: str = ""
    batch: str = ""

    @property
    def id(self) -> str:
        """Unique in the suite: `profile.onnx.OnnxCPU.batch1`."""
        return step_id(self.step, self.key, self.runner, self.batch)

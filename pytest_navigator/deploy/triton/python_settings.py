"""Settings that a runner was measured with, as a script of its library sets them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_navigator.configuration.foreign_options import flag, threads, word

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_navigator.configuration.foreign_options import Accepts
    from pytest_navigator.core.plain import JSON
    from pytest_navigator.core.variants import RunnerRecord

# What a runner records -> the setting of its framework, and what values a package may give it.
RECORDED: dict[str, dict[str, tuple[str, Accepts]]] = {
    "torch": {"threads": ("num_threads", threads), "float32_matmul_precision": ("float32_matmul_precision", word)},
    "tensorflow": {"threads": ("intra_op_threads", threads), "interop_threads": ("inter_op_threads", threads)},
    "jax": {"enable_x64": ("enable_x64", flag), "default_matmul_precision": ("default_matmul_precision", word)},
    "ai_edge_litert": {"num_threads": ("num_threads", threads)},
}


def settings_of(runner: RunnerRecord, recorded: Mapping[str, JSON]) -> dict[str, dict[str, JSON]]:
    """Return the settings by framework; what a package says becomes source text, so it is a number or a name."""
    names = [name for name in RECORDED if name in runner.requires]
    return {name: _known(RECORDED[name], recorded) for name in names}


def _known(table: Mapping[str, tuple[str, Accepts]], recorded: Mapping[str, JSON]) -> dict[str, JSON]:
    return {ours: recorded[name] for name, (ours, fits) in table.items() if fits(recorded.get(name))}

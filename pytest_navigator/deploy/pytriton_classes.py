"""The classes that PyTriton is configured with: its own where it is installed, else these, with the same fields."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Tensor:
    """An input or an output.

    Attributes:
        shape: without the batch axis if the model has one; -1 where an axis is dynamic.
        dtype: class of its numbers (`numpy.float32`); `numpy.bytes_` for text.
    """

    shape: tuple[int, ...]
    dtype: type
    name: str | None = None
    optional: bool | None = False


@dataclass
class DynamicBatcher:
    """How Triton joins requests that wait; the fields are those of Triton's own configuration."""

    max_queue_delay_microseconds: int = 0
    preferred_batch_size: list[int] | None = None
    preserve_ordering: bool = False
    priority_levels: int = 0
    default_priority_level: int = 0
    default_queue_policy: Any = None
    priority_queue_policy: dict[int, Any] | None = None


@dataclass
class ModelConfig:
    """What `Triton.bind` takes as `config`."""

    batching: bool = True
    max_batch_size: int = 4
    batcher: DynamicBatcher = field(default_factory=DynamicBatcher)
    response_cache: bool = False
    decoupled: bool = False
    model_warmup: list[Any] | None = None


class Classes(NamedTuple):
    """The classes of PyTriton, or those like them."""

    tensor: Callable[..., Any]
    config: Callable[..., Any]
    batcher: Callable[..., Any]


def classes() -> Classes:
    """Return PyTriton's own classes where it is installed: it looks for instances of them, and for their fields."""
    if find_spec("pytriton") is None:
        return Classes(Tensor, ModelConfig, DynamicBatcher)
    from pytriton import model_config

    return Classes(model_config.Tensor, model_config.ModelConfig, model_config.DynamicBatcher)

"""The modules of the user's pipelines that are wrapped, by name, and what stands in the place of their `forward`."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pytest_navigator.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch

Forward = Callable[..., Any]
"""What a module is called with and returns, in its own structures."""


@dataclass(frozen=True)
class ModuleOptions:
    """What `nav.Module` says of one module.

    Attributes:
        input_mapping: arguments as they are recorded and given to a format, made from one call's; None: as they are.
        output_mapping: makes the module's own outputs from a format's; None: as they are.
        batching: whether its inputs have a batch axis; None: found from the recorded calls.
        precision: Model Navigator's name of the precision that the module computes in.
        optimize_config: the module's own, in place of that of `nav.optimize`.
    """

    input_mapping: Callable[[Any], Any] | None = None
    output_mapping: Callable[[Any], Any] | None = None
    batching: bool | None = None
    precision: str = "fp32"
    optimize_config: Any = None


@dataclass(eq=False)
class Wrapped:
    """One module of a pipeline.

    The module stays the object that it is: only while something is recorded, or a format is swapped in, its instance
    has another `forward`. A module that is neither has the one of its class, and costs nothing.
    """

    name: str
    module: torch.nn.Module
    options: ModuleOptions = field(default_factory=ModuleOptions)
    _before: Any = None
    _replaced: bool = False

    @property
    def original(self) -> Forward:
        """The module's own `forward`, bound to it."""
        own: Forward = self.module.forward
        if self._replaced:
            own = self._before or type(self.module).forward.__get__(self.module)
        return own

    @property
    def signature(self) -> inspect.Signature:
        """Of its own `forward`, without self."""
        return inspect.signature(self.original)

    @property
    def replaced(self) -> bool:
        """Whether something else stands in the place of its `forward`."""
        return self._replaced

    def replace(self, forward: Forward) -> None:
        """Put something in the place of `forward`, until `restore`."""
        if not self._replaced:
            self._before = vars(self.module).get("forward")
        self.module.forward = forward
        self._replaced = True

    def restore(self) -> None:
        """Give the module its own `forward` back."""
        if not self._replaced:
            return
        if self._before is None:
            del vars(self.module)["forward"]
        else:
            self.module.forward = self._before
        self._before, self._replaced = None, False


_WRAPPED: dict[str, Wrapped] = {}


def register(wrapped: Wrapped) -> None:
    """Know a module by its name.

    Raises:
        ConfigError: another module has it.
    """
    known = _WRAPPED.get(wrapped.name)
    if known is not None and known.module is not wrapped.module:
        raise ConfigError(f"two modules are called {wrapped.name!r}: give one of them another name")
    _WRAPPED[wrapped.name] = wrapped


def registered() -> Iterator[Wrapped]:
    """Yield every wrapped module, in the order in which they were."""
    yield from list(_WRAPPED.values())


def forget(name: str | None = None) -> None:
    """Restore and no longer know one module, or all."""
    for known in [name] if name is not None else list(_WRAPPED):
        _WRAPPED.pop(known).restore()

"""The modules of the user's pipelines that are wrapped, by name, and what stands in the place of their `forward`."""

from __future__ import annotations

import copy
import gc
import inspect
import weakref
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_navigator.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch

Forward = Callable[..., Any]
"""What a module is called with and returns, in its own structures."""

_MISSING = object()


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


class Wrapped:
    """One module of a pipeline.

    The module stays the object that it is: only while something is recorded, or a format is swapped in, its instance
    has another `forward`. A module that is neither has the one of its class, and costs nothing.

    Being wrapped keeps no module alive: it goes when its pipeline does.

    Attributes:
        name: what it is called in summaries, ids and files.
        options: what `nav.Module` says of it.
    """

    def __init__(self, name: str, module: torch.nn.Module, options: ModuleOptions | None = None) -> None:
        self.name = name
        self.options = options or ModuleOptions()
        self._module = weakref.ref(module)
        self._put: list[
            Callable[[], Forward | None]
        ] = []  # what `replace` has put in, and for each what was there before it
        self._under: list[Any] = []

    def __repr__(self) -> str:
        return f"<module {self.name!r}{', replaced' if self._put else ''}>"

    @property
    def module(self) -> torch.nn.Module:
        """The user's own object.

        Raises:
            ConfigError: nobody has it any more.
        """
        module = self._module()
        if module is None:
            raise ConfigError(f"the module {self.name!r} is gone with its pipeline: wrap the one in use")
        return module

    @property
    def alive(self) -> bool:
        """Whether somebody still has the module."""
        return self._module() is not None

    @property
    def original(self) -> Forward:
        """The module's own `forward`, bound to it."""
        return self.own or own_forward(self.module)

    @property
    def own(self) -> Forward | None:
        """The `forward` that the instance has beside what `replace` has put in; None for that of its class.

        It may be one that somebody has put over that since: what is under it is called by it alone.
        """
        found = vars(self.module).get("forward", _MISSING)
        for put, before in zip(reversed(self._put), reversed(self._under), strict=True):
            if found is not put():
                break
            found = before
        return None if found is _MISSING else found

    @property
    def signature(self) -> inspect.Signature:
        """Of its own `forward`, without self."""
        return inspect.signature(self.original)

    @property
    def replaced(self) -> bool:
        """Whether something else stands in the place of its `forward`."""
        return bool(self._put)

    def replace(self, forward: Forward) -> None:
        """Put something in the place of `forward`, until `restore`; over what another `replace` has put there."""
        module = self.module
        self._put.append(_reference(forward))
        self._under.append(vars(module).get("forward", _MISSING))
        _set_closed(forward, False)
        module.forward = forward

    def restore(self) -> None:
        """Put back what was there before the last `replace`; nothing happens where there was none.

        What somebody else has put over it since stays.
        """
        if not self._put:
            return
        forward, before, module = self._put.pop()(), self._under.pop(), self._module()
        _set_closed(forward, True)
        if module is None or forward is None or vars(module).get("forward") is not forward:
            return
        if before is _MISSING:
            del vars(module)["forward"]
        else:
            module.forward = before

    def take_out(self, forward: Forward) -> None:
        """Take out what a `replace` has put in, wherever it is among others; nothing happens where it is not."""
        number = self._number(forward)
        if number is None:
            return
        if number == len(self._put) - 1:
            self.restore()
            return
        _set_closed(forward, True)
        if self._under[number + 1] is forward:
            self._under[number + 1] = self._under[number]
        del self._put[number], self._under[number]

    def beneath(self, forward: Forward) -> Forward:
        """Return what would be called if a `replace` had not put this in: it may be taken out meanwhile."""
        number = self._number(forward)
        found = self.original if number is None else self._under[number]
        under: Forward = own_forward(self.module) if found is _MISSING else found
        return under

    def _number(self, forward: Forward) -> int | None:
        return next((i for i, put in enumerate(self._put) if put() is forward), None)

    @contextmanager
    def standing_in(self, forward: Forward) -> Iterator[None]:
        """Put something in the place of `forward` until the block ends."""
        self.replace(forward)
        try:
            yield
        finally:
            self.take_out(forward)


class StandIn:
    """What a recorder or a format is called by in the place of `forward`.

    A copy of the module has its own `forward` in this place: it is another module, and nobody restores it.

    Attributes:
        closed: whether it was taken out. Somebody may still call it, from a `forward` that was put over it: it is the
            module's own then.
    """

    closed = False

    def __init__(self, wrapped: Wrapped) -> None:
        self.wrapped = wrapped
        self._module = wrapped.module
        self._own = wrapped.own

    @property
    def _original(self) -> Forward:
        """The module's own, as it is now: somebody may set another one on its class."""
        return self._own or own_forward(self._module)

    def __repr__(self) -> str:
        return f"<forward of {type(self._module).__qualname__}>"  # It is a part of what is put over it

    @property
    def __code__(self) -> Any:
        """That of the module's own: `torch.export` reads it."""
        return self._original.__code__

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        if self._own is not None:
            return copy.deepcopy(self._own, memo)
        copied = memo.get(id(self._module))
        return self if copied is None else own_forward(copied)

    def __reduce__(self) -> Any:
        return (_unchanged, (self._own,)) if self._own is not None else (own_forward, (self._module,))


def _reference(forward: Forward) -> Callable[[], Forward | None]:
    """Return what gives this back: a stand-in keeps its module alive, and so may not be kept by what is registered."""
    if isinstance(forward, StandIn):
        reference: Callable[[], Forward | None] = weakref.ref(forward)
        return reference
    return lambda: forward


def _set_closed(forward: Forward | None, closed: bool) -> None:
    if isinstance(forward, StandIn):
        forward.closed = closed


def _unchanged(forward: Forward) -> Forward:
    return forward


def own_forward(module: torch.nn.Module) -> Forward:
    """Return the `forward` that a module has from its class."""
    bound: Forward = type(module).forward.__get__(module)
    return bound


_WRAPPED: dict[str, Wrapped] = {}


def check_name(name: str, module: torch.nn.Module) -> None:
    """Find out whether a module can be known by a name.

    Raises:
        ConfigError: another module that somebody still has is.
    """
    known = _WRAPPED.get(name)
    if known is not None and known.alive:
        gc.collect()  # A pipeline that is gone may be waiting in a circle of references.
    if known is not None and known.alive and known.module is not module:
        kind = type(known.module).__name__
        raise ConfigError(
            f"another module is called {name!r} ({kind}): give this one another name, by name= of nav.Module or "
            "prefix= of nav.wrap"
        )


def register(wrapped: Wrapped) -> None:
    """Know a module by its name; one that is known by it is known anew.

    Raises:
        ConfigError: another module has it.
    """
    check_name(wrapped.name, wrapped.module)
    if wrapped.name in _WRAPPED:
        _restore(_WRAPPED[wrapped.name])
    _WRAPPED[wrapped.name] = wrapped


def registered() -> Iterator[Wrapped]:
    """Yield every wrapped module that somebody still has, in the order in which they were wrapped."""
    for name, known in list(_WRAPPED.items()):
        if known.alive:
            yield known
        else:
            _WRAPPED.pop(name, None)


def wrapping(module: torch.nn.Module) -> Wrapped | None:
    """Return how a module is known, None if it is not wrapped."""
    return next((known for known in registered() if known.module is module), None)


def unused(name: str) -> str:
    """Return a name that no module has: this one, or it with a number: "Linear", "Linear_2"."""
    taken = {known.name for known in registered()}
    number, found = 1, name
    while found in taken:
        number += 1
        found = f"{name}_{number}"
    return found


def forget(name: str | None = None) -> None:
    """Restore and no longer know one module, or all."""
    for known in [name] if name is not None else list(_WRAPPED):
        _restore(_WRAPPED.pop(known))


def _restore(known: Wrapped) -> None:
    while known.replaced:
        known.restore()

"""What tells in a few microseconds whether anything of a module may have changed: it is asked in every call."""

from __future__ import annotations

from itertools import chain
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING, Any

from pytest_navigator.pipelines.fingerprint import OF_OURS, torchs_own
from pytest_navigator.pipelines.registry import StandIn

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    import torch

HOOKS = ("_forward_hooks", "_forward_pre_hooks")

_version, _training, _values = attrgetter("_version"), attrgetter("training"), dict.values


class Marks:
    """What a module was like at one time: its weights, buffers, parts, attributes, and the hooks of its parts.

    Lists are compared, for that is quickest: what is the same object in both is equal without being looked at.
    """

    def __init__(self, module: torch.nn.Module, changing: Collection[str] = ()) -> None:
        """Args: names of buffers and attributes that calls change, as `fingerprint.changing` has them."""
        named = dict(module.named_modules())
        self._parts = list(named.values())
        self._changing = {name: _below(name, changing) for name in named}
        self._modes = self._modes_now()
        self._hooks = [getattr(part, each) for part in self._parts[1:] for each in HOOKS]
        self._hooked = self._hooked_now()
        self._kinds: list[type[Any]] = list(dict.fromkeys(map(type, self._parts)))
        self._forwards = self._forwards_now()
        self._remember_tensors(list(self._tensors_in(named)))
        self._remember_held(named)
        self._own = [vars(part) for part in self._parts]
        self._remember_attributes(named)
        self._lengths, self._sizes = self._lengths_now(), self._sizes_now()

    def modes(self) -> bool:
        """Whether the same parts are in training mode."""
        return self._modes_now() == self._modes

    def hooks(self) -> bool:
        """Whether the parts have the same hooks; those of the module itself run with a format too."""
        return self._hooked_now() == self._hooked

    def same(self) -> bool:
        """Whether nothing was written to, put in, taken out or set anew; False: it may have been."""
        try:
            return self._tensors_same() and self._held_same() and self._attributes_same()
        except Exception:  # something is gone, or tensors that are not one object were compared
            return False

    def _tensors_same(self) -> bool:
        versions, places = sum(map(_version, self._tracked)), sum(map(self._pointer, self._tensors))
        return (versions, places) == (self._versions, self._places)

    def _held_same(self) -> bool:
        return (
            list(chain.from_iterable(map(_values, self._held))) == self._content
            and not any(self._empty)
            and all(own.get(name) is value for own, name, value in self._small)
        )

    def _attributes_same(self) -> bool:
        if self._forwards_now() != self._forwards or [get(own) for get, own in self._getters] != self._settings:
            return False
        lengths = self._lengths_now()
        if lengths == self._lengths:
            return True
        if self._sizes_now() != self._sizes:
            return False
        self._lengths = lengths
        return True

    def _tensors_in(self, named: dict[str, torch.nn.Module]) -> Iterator[tuple[dict[str, Any], str, torch.Tensor]]:
        import torch

        for path, part in named.items():
            for own in (part._parameters, part._buffers, vars(part)):
                for name, value in own.items():
                    if isinstance(value, torch.Tensor) and name not in self._changing[path]:
                        yield own, name, value

    def _remember_tensors(self, found: list[tuple[dict[str, Any], str, torch.Tensor]]) -> None:
        import torch

        self._tensors = [value for _, _, value in found]
        self._tracked = [value for value in self._tensors if not value.is_inference()]
        self._pointer: Callable[[torch.Tensor], int] = torch.Tensor.data_ptr
        self._versions = sum(map(_version, self._tracked))
        self._places = sum(map(self._pointer, self._tensors))
        # Another one of an equal value would be equal, and what is written to it later unseen.
        self._small = [each for each in found if each[2].numel() < 2]

    def _remember_held(self, named: dict[str, torch.nn.Module]) -> None:
        self._getters: list[tuple[Callable[[Any], object], dict[str, Any]]] = []
        held: list[dict[str, Any]] = []
        for path, part in named.items():
            held += [part._parameters, part._modules]
            if self._changing[path].isdisjoint(part._buffers):
                held.append(part._buffers)
            else:
                self._get(part._buffers, [name for name in part._buffers if name not in self._changing[path]])
        self._held, self._empty = [own for own in held if own], [own for own in held if not own]
        self._content = list(chain.from_iterable(map(_values, self._held)))

    def _remember_attributes(self, named: dict[str, torch.nn.Module]) -> None:
        for path, own in zip(named, self._own, strict=True):
            self._get(own, [name for name in own if name not in {*torchs_own(), *OF_OURS, *self._changing[path]}])
        self._settings = [get(own) for get, own in self._getters]

    def _get(self, own: dict[str, Any], names: list[str]) -> None:
        if names:
            self._getters.append((itemgetter(*names), own))

    def _sizes_now(self) -> list[int]:
        """Return how many attributes each part has, without what calls change, and what is put on it for a time."""
        sizes = []
        for own, changing in zip(self._own, self._changing.values(), strict=True):
            ours = {*OF_OURS, *changing}
            if own is not self._own[0] and not isinstance(own.get("forward"), StandIn):
                ours -= {"forward"}
            sizes.append(len(own.keys() - ours))
        return sizes

    def _lengths_now(self) -> list[int]:
        return list(map(len, self._own))

    def _modes_now(self) -> list[bool]:
        return list(map(_training, self._parts))

    def _hooked_now(self) -> list[object]:
        return list(chain.from_iterable(map(_values, self._hooks))) if any(self._hooks) else []

    def _forwards_now(self) -> list[object]:
        return [kind.forward for kind in self._kinds]


def _below(path: str, names: Collection[str]) -> set[str]:
    """Return the names in one part."""
    start = f"{path}." if path else ""
    return {name.removeprefix(start) for name in names if name.startswith(start) and "." not in name[len(start) :]}

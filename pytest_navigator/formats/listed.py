"""Formats and frameworks by name, each imported when it is asked for: a run of one framework needs not the others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from pytest_navigator.errors import ConfigError
from pytest_navigator.isolation.importing import imported

if TYPE_CHECKING:
    from collections.abc import Iterable

T = TypeVar("T")


class Listed(NamedTuple):
    """What must be known of a format or a framework before it is imported.

    Attributes:
        name: as its class has it.
        kind: the class, or where it is imported from, "package.module:Class".
        marks: of a format what it is made of (`Format.frameworks`), of a framework the packages of its models.
        default: of a format whether it is made when nobody says what to make.
    """

    name: str
    kind: str | type
    marks: tuple[str, ...]
    default: bool = True

    def load(self) -> Any:
        """Return the class."""
        return imported(self.kind) if isinstance(self.kind, str) else self.kind

    def __str__(self) -> str:
        return self.kind.rpartition(":")[2] if isinstance(self.kind, str) else self.kind.__qualname__


class Kinds(Mapping[str, T], Generic[T]):
    """One object of each class, by name.

    Args:
        what: "formats" or "frameworks".

    Raises:
        ConfigError: two have the same name.
    """

    def __init__(self, what: str, listed: Iterable[Listed]) -> None:
        self.listed: dict[str, Listed] = {}
        self._what = what
        self._made: dict[str, T] = {}
        for one in listed:
            if one.name in self.listed:
                raise twice(what, f"called {one.name!r}", self.listed[one.name], one)
            self.listed[one.name] = one

    def __getitem__(self, name: str) -> T:
        if name not in self._made:
            self._made[name] = self.listed[name].load()()
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.listed)

    def __len__(self) -> int:
        return len(self.listed)

    def __contains__(self, name: object) -> bool:
        return name in self.listed

    def marked(self, mark: str) -> list[T]:
        """Return those that are called so, or have it among their marks."""
        return [self[one.name] for one in self.listed.values() if mark in (one.name, *one.marks)]

    def usual(self, mark: str) -> list[T]:
        """Return those of them that nobody needs to name."""
        named = (one.name for one in self.listed.values() if mark == one.name or (one.default and mark in one.marks))
        return [self[name] for name in named]

    def extended(self, more: Iterable[Listed]) -> Kinds[T]:
        """Return the same with more of them."""
        return Kinds(self._what, [*self.listed.values(), *more])


def twice(what: str, mark: str, first: object, second: object) -> ConfigError:
    """Return the error of two that cannot be told apart."""
    return ConfigError(f"two {what} are {mark}: {first} and {second}; change one")

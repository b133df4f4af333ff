"""The short way of a call whose arrays need no conversion: what can be decided once is decided when a runner loads."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from pytest_navigator.samples.feeds import fits
from pytest_navigator.samples.structure import builder

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pytest_navigator.core.plain import Tree
    from pytest_navigator.core.records import Signature, TensorSpec
    from pytest_navigator.frameworks.base import Framework
    from pytest_navigator.runners.base import Direct, Runner

    Check = Callable[[Any], bool]
    Checks = Callable[[TensorSpec], Check | None]


class Way:
    """An inference on arrays of one kind.

    Attributes:
        run: the inference, on what `feed` or `taken` has let through.
    """

    def __init__(self, signature: Signature, checks: Checks, run: Direct) -> None:
        self.run = run
        self._names = [spec.name for spec in signature.inputs]
        self._keys = _keys(signature.input_tree, self._names)
        self._checks = [checks(spec) or _never for spec in signature.inputs]
        self._single = self._checks[0] if len(self._checks) == 1 else None

    def feed(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return the arrays of a call by name; None: something about it is not plain, and it goes the long way."""
        if kwargs:
            return self._keyed(kwargs, args)
        if len(args) == 1:
            (only,) = args
            if self._single and self._single(only):
                return {self._names[0]: only}
            kind = type(only)
            if kind is dict:
                return self._keyed(only)
            if kind is list or kind is tuple:
                args = only
        return self._checked(args)

    def taken(self, feed: object) -> dict[str, Any] | None:
        """Return arrays by input name in the order of the inputs; None as `feed` does."""
        if type(feed) is not dict or len(feed) != len(self._names):
            return None
        try:
            if self._single:
                return dict(feed) if self._single(feed[self._names[0]]) else None
            return self._checked([feed[name] for name in self._names])
        except KeyError:
            return None

    def _keyed(self, values: Mapping[Any, Any], args: Sequence[Any] = ()) -> dict[str, Any] | None:
        keys = self._keys
        if args:
            keys = self._names[len(args) :] if keys == self._names else []
        if len(values) != len(keys):
            return None
        try:
            return self._checked([*args, *[values[key] for key in keys]])
        except KeyError:
            return None

    def _checked(self, values: Sequence[Any]) -> dict[str, Any] | None:
        if len(values) != len(self._names):
            return None
        for check, value in zip(self._checks, values):  # noqa: B905 (as many; it costs a tenth of the whole)
            if not check(value):
                return None
        return dict(zip(self._names, values))  # noqa: B905


class Ways:
    """The short ways into an activated runner.

    Attributes:
        arrays: of numpy's; `own`: of those of the model's framework.
        structured: puts outputs into the model's structure.
    """

    def __init__(self, runner: Runner, framework: Framework) -> None:
        self._runner, self._framework, self._direct = runner, framework, runner.direct("numpy")
        self.arrays = Way(runner.signature, fits, self._direct or runner.infer)
        self.structured = builder(runner.signature.output_tree)

    @cached_property
    def own(self) -> Way:
        """Imports the framework, which who calls `infer` alone needs not."""
        runner, framework = self._runner, self._framework
        native = runner.direct(framework.array_type or framework.name)
        run = native or _converting(framework, runner.infer, self._direct)
        return Way(runner.signature, framework.fits, run)


def _converting(framework: Framework, infer: Direct, direct: Direct | None) -> Direct:
    run = direct or infer
    taken: Callable[[Any], Any] = framework.shared if direct else framework.to_numpy
    given: Callable[[Any], Any] = framework.adopted if direct else framework.from_numpy

    def converted(feed: dict[str, Any]) -> dict[str, Any]:
        outputs = run({name: taken(value) for name, value in feed.items()})
        return {name: given(value) for name, value in outputs.items()}

    return converted


def _keys(tree: Tree, names: Sequence[str]) -> list[Any]:
    """Return what a call's keywords, or the keys of its only mapping, are called, in the order of the inputs."""
    args, kwargs = tree["args"], tree["kwargs"]
    items = kwargs if not args else args[0].get("dict", ()) if len(args) == 1 and not kwargs else ()
    keys = {node["leaf"]: key for key, node in items if "leaf" in node}
    return [keys[name] for name in names] if keys.keys() == set(names) and len(keys) == len(items) else list(names)


def _never(value: object) -> bool:
    # Text is never taken as it is: such a call goes the long way.
    return False

"""JAX models made of modules: each is traced as exports trace it, from what the live one got.

Modules of flax.linen are intercepted; of others (flax.nnx, equinox), whose classes have a `__call__`, that is wrapped
while the model runs. A function without modules has nothing to look into.
"""

from __future__ import annotations

import inspect
import sys
from collections import Counter
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial, wraps
from typing import TYPE_CHECKING, Any

from pytest_navigator.backends.jax.flat import flat_function
from pytest_navigator.backends.jax.source import JaxFramework, JaxSource
from pytest_navigator.core.loaded import loaded
from pytest_navigator.errors import NotApplicable
from pytest_navigator.formats.local_values import Library, Local, judged, local
from pytest_navigator.formats.traces import place_of, users_place
from pytest_navigator.samples.structure import unflatten_call

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from pytest_navigator.comparison.divergence import Divergence
    from pytest_navigator.formats.diagnosis import Question
    from pytest_navigator.frameworks.base import Source

    Arrays = list[Any]
    Run = Callable[..., Any]

METHOD = "each module traced by jax.jit, cut off from the others"
NO_MODULES = "the live model calls no modules (flax.linen, flax.nnx, equinox): into a function nothing can look"
DEEPEST = 20  # Attributes of attributes that are searched for modules


@dataclass
class Call:
    """One call of one module.

    Attributes:
        path: of the module ("layers.0.mlp"), "" for the model itself; kind: its class.
        code, line: where its code begins, and where it is called, of the user's.
        taken, given: the arrays in its arguments and in what it returns.
    """

    path: str
    kind: str
    code: str
    line: str
    caller: Call | None
    taken: Arrays = field(default_factory=list)
    given: Arrays = field(default_factory=list)


def divergence(source: Source, question: Question) -> Divergence:
    """Find the module that is another one when it is traced. Runs where the live model is.

    Raises:
        NotApplicable: the model has no modules.
    """
    if not isinstance(source, JaxSource):
        raise NotApplicable("there is no live JAX model to compare with")
    import jax

    flat, parameters = flat_function(source, question.signature)
    framework = JaxFramework()
    feed = [framework.from_numpy(question.feed()[spec.name]) for spec in question.signature.inputs]
    live = Live()
    names = [spec.name for spec in question.signature.inputs]
    call = unflatten_call(question.signature.input_tree, dict(zip(names, feed, strict=True)))
    with watched(source, live):  # as it is called itself: from other parameters, other objects would be made
        source.call(call.args, call.kwargs)
    right = {key: (call.taken, call.given) for key, call in live.calls.items()}
    if not right:
        raise NotApplicable(NO_MODULES)

    def traced(parameters: Any, right: Any, *inputs: Any) -> dict[str, tuple[Arrays, Arrays]]:
        cut = Cut(right)
        with watched(source, cut):
            flat(parameters, *inputs)
        return cut.found

    found = jax.jit(traced)(parameters, right, *feed)
    return judged(question, Library(framework.to_numpy, "", ""), _errors(live, found), METHOD, {})


def _errors(live: Live, found: Mapping[str, tuple[Arrays, Arrays]]) -> list[Local]:
    """Return the errors of what each module is given, which is its caller's, and of what it gives."""
    library = Library(JaxFramework().to_numpy, "", "")
    errors: list[Local] = []
    for key in live.ended:
        call, (taken, given) = live.calls[key], found.get(key, ([], []))
        caller = call.caller
        for i, (right, got) in enumerate(zip(call.taken, taken, strict=False) if caller else ()):
            assert caller is not None
            known = {"value": f"input {i} of {key}", "operator": caller.kind, "module": caller.path}
            errors.append(local(library, right, got, {}, location=call.line or caller.code, **known))
        inputs = {f"x{i}": array for i, array in enumerate(call.taken)}
        for right, got in zip(call.given, given, strict=False):
            known = {"value": call.path or call.kind, "operator": call.kind if call.path else "", "module": call.path}
            errors.append(local(library, right, got, inputs, location=call.code or call.line, **known))
    return errors


class Watcher:
    """Sees the calls of modules; a call is known by those that it is inside of, and by its turn among their calls."""

    def __init__(self) -> None:
        self.running: list[str] = []
        self._turns: Counter[str] = Counter()

    def called(self, module: Any, path: str, run: Run, args: Any, kwargs: Any) -> Any:
        """Run a call of a module."""
        base = "/".join([*self.running[-1:], type(module).__name__])
        key = f"{base}:{self._turns[base]}"
        self._turns[base] += 1
        self.running.append(key)
        try:
            return self.inside(key, module, path, run, args, kwargs)
        finally:
            self.running.pop()

    def inside(self, key: str, module: Any, path: str, run: Run, args: Any, kwargs: Any) -> Any:
        """Run it, knowing its key."""
        raise NotImplementedError


class Live(Watcher):
    """Keeps what modules take and give; `ended` has the keys in the order in which the calls end."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: dict[str, Call] = {}
        self.ended: list[str] = []

    def inside(self, key: str, module: Any, path: str, run: Run, args: Any, kwargs: Any) -> Any:
        """Note a call, unless it is part of what is compiled already."""
        code = place_of(inspect.unwrap(type(module).__call__))
        caller = self.calls.get(self.running[-2]) if len(self.running) > 1 else None
        call = Call(path, type(module).__name__, code, users_place(sys._getframe(1)), caller, _arrays((args, kwargs)))
        self.calls[key] = call
        value = run(*args, **kwargs)
        call.given = _arrays(value)
        if all(map(_is_concrete, (*call.taken, *call.given))):
            self.ended.append(key)
        else:
            del self.calls[key]
        return value


class Cut(Watcher):
    """Gives each module what the live one got, and its caller what that gave; keeps what would have been instead."""

    def __init__(self, right: Mapping[str, tuple[Arrays, Arrays]]) -> None:
        super().__init__()
        self._right = right
        self.found: dict[str, tuple[Arrays, Arrays]] = {}

    def inside(self, key: str, module: Any, path: str, run: Run, args: Any, kwargs: Any) -> Any:
        """Run a call from right arrays."""
        taken, given = self._right.get(key, ([], []))
        own_args, own_kwargs = _with_arrays((args, kwargs), taken)
        value = run(*own_args, **own_kwargs)
        self.found[key] = _arrays((args, kwargs)), _arrays(value)
        return _with_arrays(value, given)


@contextmanager
def watched(source: JaxSource, watcher: Watcher) -> Iterator[None]:
    """Let a watcher run every call of a module while the block runs."""

    def intercepted(run: Run, args: Any, kwargs: Any, context: Any) -> Any:
        if context.method_name != "__call__":
            return run(*args, **kwargs)
        return watcher.called(context.module, ".".join(context.module.path), run, args, kwargs)

    intercept = loaded("flax.linen:intercept_methods")
    with _wrapped(dict(_modules(source.model)), watcher), intercept(intercepted) if intercept else nullcontext():
        yield


@contextmanager
def _wrapped(modules: Mapping[str, Any], watcher: Watcher) -> Iterator[None]:
    """Wrap the calls of all classes of these modules."""
    paths = {id(module): path for path, module in modules.items()}
    kinds = {type(module) for module in modules.values() if callable(module)}
    before = {kind: (vars(kind).get("__call__"), kind.__call__) for kind in kinds}

    def wrapped(original: Run) -> Run:
        @wraps(original)
        def called(module: Any, *args: Any, **kwargs: Any) -> Any:
            return watcher.called(module, paths.get(id(module), ""), partial(original, module), args, kwargs)

        return called

    for kind, (_, original) in before.items():
        kind.__call__ = wrapped(original)
    try:
        yield
    finally:
        for kind, (own, _) in before.items():
            if own is None:
                del kind.__call__
            else:
                kind.__call__ = own


def _modules(value: Any, path: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Yield the modules in a model that can only be watched by wrapping their classes."""
    kinds = tuple(filter(None, (loaded("flax.nnx:Module"), loaded("equinox:Module"))))
    if depth > DEEPEST or not kinds:
        return
    parts: Mapping[Any, Any] = {}
    if isinstance(value, kinds):
        yield path, value
        parts = vars(value)
    elif isinstance(value, dict):
        parts = value
    elif isinstance(value, list | tuple):
        parts = dict(enumerate(value))
    for name, part in parts.items():
        yield from _modules(part, f"{path}.{name}" if path else str(name), depth + 1)


def _arrays(value: Any) -> Arrays:
    import jax

    return [leaf for leaf in jax.tree_util.tree_leaves(value) if isinstance(leaf, jax.Array)]


def _is_concrete(array: Any) -> bool:
    import jax

    return not isinstance(array, jax.core.Tracer)


def _with_arrays(value: Any, arrays: Arrays) -> Any:
    """Return a structure with other arrays, if they are as many and of the same shapes and types."""
    import jax

    leaves, tree = jax.tree_util.tree_flatten(value)
    own = [leaf for leaf in leaves if isinstance(leaf, jax.Array)]
    if [(each.shape, each.dtype) for each in own] != [(each.shape, each.dtype) for each in arrays]:
        return value
    others = iter(arrays)
    return tree.unflatten([next(others) if isinstance(leaf, jax.Array) else leaf for leaf in leaves])

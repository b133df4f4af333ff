"""What no file tells of the code that a module runs: closures, functions put in at run time, settings of classes."""

from __future__ import annotations

import hashlib
import inspect
import types
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_navigator.core.described import compiled_digest, described
from pytest_navigator.core.digests import text_digest
from pytest_navigator.engine.cache.code import OURS, own_file, place_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import torch

PYTORCH = "torch"  # Its own layers are known by their names: another version of it is no other model
HOOKS = ("_forward_pre_hooks", "_forward_hooks")
PLAIN = (bool, int, float, complex, str)
MAKING = ("__init__", "__new__")  # What these have done is in weights and attributes


def name_of(kind: type) -> str:
    """Return a class's name, without its module: that is "__main__" when the file is run, and another one elsewhere."""
    return kind.__qualname__ if kind.__module__.partition(".")[0] != PYTORCH else f"{kind.__module__}.{kind.__name__}"


def texts_of(kinds: Iterable[type]) -> list[str]:
    """Return texts of the functions of classes that their files do not tell, and of those that these call by name."""
    return sorted({text for base in _bases(kinds) for text in _texts(base)})


def settings_of(kinds: Iterable[type]) -> dict[str, str]:
    """Return name -> digest of the attributes of the user's own classes, and of the globals that their methods read."""
    found: dict[str, str] = {}
    for base in filter(_is_users, _bases(kinds)):
        said = {f"class {base.__qualname__}.{name}": value for name, value in _attributes(base)}
        for function in [function for name, function in _functions(base) if name not in MAKING]:
            said |= {
                f"global {base.__qualname__}: {name}": value for name, value in _globals(function) if _plain(value)
            }
        found |= {name: text_digest(_held(value, frozenset())) for name, value in said.items()}
    return found


def hooks_of(module: torch.nn.Module) -> dict[str, list[Any]]:
    """Return name of a submodule -> its forward hooks that are not PyTorch's own: what they do is in no format.

    Those of the module itself run with a format in its place as well.
    """
    found = {
        name: [hook for kind in HOOKS for hook in getattr(part, kind).values() if not _is_pytorchs(hook)]
        for name, part in module.named_modules()
        if name
    }
    return {name: hooks for name, hooks in found.items() if hooks}


def function_text(function: types.FunctionType, seen: frozenset[int] = frozenset()) -> str:
    """Return a text of a function's code, and of what it closes over and has as defaults."""
    function = _without_ours(function)
    if id(function) in seen:
        return function.__code__.co_qualname
    return repr([_code_text(function), [_held(each, seen | {id(function)}) for each in _values(function)]])


def said_of(function: object) -> str:
    """Return a text of what a function of the user's does, with the settings and functions that it finds by name."""
    if not isinstance(function, types.FunctionType):
        return str(described(function))
    found = [(name, value) for name, value in _globals(function) if _plain(value) or inspect.isfunction(value)]
    return repr([function_text(function), [(name, _held(value, frozenset())) for name, value in found]])


def _bases(kinds: Iterable[type]) -> list[type]:
    return list(dict.fromkeys(base for kind in kinds for base in kind.__mro__ if base.__module__ != "builtins"))


def _texts(base: type) -> Iterator[str]:
    is_pytorchs = base.__module__.partition(".")[0] == PYTORCH
    for name, function in _functions(base):
        place = f"{name_of(base)}.{name}"
        if not _is_of_body(base, function):
            if name == "forward" or not is_pytorchs:
                yield f"{place} {function_text(function)}"
        elif function.__code__.co_qualname != f"{base.__qualname__}.{name}" and not is_pytorchs:
            yield f"{place} is {function.__code__.co_qualname}"
        elif not is_pytorchs and _values(function):
            yield f"{place} {[_held(each, frozenset()) for each in _values(function)]}"
        if not is_pytorchs:
            called = [(each, value) for each, value in _globals(function) if isinstance(value, types.FunctionType)]
            yield from (f"{place} calls {each} {function_text(value)}" for each, value in called)


def _functions(base: type) -> Iterator[tuple[str, types.FunctionType]]:
    for name, value in vars(base).items():
        found = value.fget if isinstance(value, property) else getattr(value, "__func__", value)
        if isinstance(found, types.FunctionType):
            yield name, _without_ours(found)


def _without_ours(function: types.FunctionType) -> types.FunctionType:
    """Return what is below the functions of this package, as `@nav.module` puts one around `__init__`."""
    while str(function.__globals__.get("__name__")).partition(".")[0] == OURS:
        below = getattr(function, "__wrapped__", None)
        if not isinstance(below, types.FunctionType):
            break
        function = below
    return function


def _is_of_body(base: type, function: types.FunctionType) -> bool:
    """Whether a function is written in the body of this class, in a file."""
    code = function.__code__
    written = code.co_qualname.rpartition(".")[0] == base.__qualname__ and function.__module__ == base.__module__
    return written and Path(code.co_filename).is_file()


def _code_text(function: types.FunctionType) -> str:
    code = function.__code__
    path = Path(code.co_filename)
    if path.is_file() and own_file(code.co_filename) is None:  # Of a library: its version is told apart
        return f"{function.__globals__.get('__name__')}.{code.co_qualname}"
    if not path.is_file() or code.co_name == "<lambda>":
        return f"{code.co_name} {compiled_digest(code)}"
    try:
        return f"{code.co_qualname} {hashlib.sha256(inspect.getsource(code).encode()).hexdigest()}"
    except (OSError, SyntaxError):  # the file was edited meanwhile
        return f"{code.co_qualname} {compiled_digest(code)}"


def _values(function: types.FunctionType) -> list[Any]:
    cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    held = [cell.cell_contents for name, cell in cells if name != "__class__" and cell != types.CellType()]
    return [*held, *(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]


def _held(value: Any, seen: frozenset[int]) -> str:
    if isinstance(value, types.FunctionType):
        return function_text(value, seen)
    return name_of(value) if isinstance(value, type) else str(described(value))


def _globals(function: types.FunctionType) -> list[tuple[str, Any]]:
    """Return the globals that a function names."""
    names = sorted(_names(function.__code__) & function.__globals__.keys())
    return [(name, function.__globals__[name]) for name in names if not name.startswith("__")]


def _names(code: types.CodeType) -> set[str]:
    inner = [_names(each) for each in code.co_consts if isinstance(each, types.CodeType)]
    return set(code.co_names).union(*inner)


def _plain(value: object) -> bool:
    """Whether a global is a setting: a number, a text, an array, or a few of these."""
    if isinstance(value, tuple | list):
        return all(map(_plain, value))
    return isinstance(value, PLAIN) or (hasattr(value, "__array__") and not isinstance(value, type))


def _attributes(base: type) -> Iterator[tuple[str, Any]]:
    for name, value in vars(base).items():
        is_code = callable(value) or hasattr(value, "__get__")
        if not name.startswith(("__", "_abc_")) and (not is_code or isinstance(value, type)):
            yield name, value


def _is_users(base: type) -> bool:
    return base.__module__.partition(".")[0] not in (PYTORCH, OURS) and (
        base.__module__ == "__main__" or place_of(base) is not None
    )


def _is_pytorchs(hook: Any) -> bool:
    own = getattr(hook, "__module__", None) or type(hook).__module__
    return str(own).partition(".")[0] == PYTORCH

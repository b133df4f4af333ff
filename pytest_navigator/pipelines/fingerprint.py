"""What a module is, as a digest: with other weights, code or settings it is another one, in another process it is not.

Formats are kept by it: after retraining, or an edit of `forward`, no format of before is found.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from pytest_navigator.core.described import described
from pytest_navigator.core.digests import changed, text_digest
from pytest_navigator.engine.cache.code import OURS, code_of
from pytest_navigator.engine.cache.libraries import own_versions
from pytest_navigator.pipelines.class_code import PYTORCH, hooks_of, name_of, settings_of, texts_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    import torch

HALF = 32  # Hexadecimal digits of each part of a fingerprint
OF_OURS = ("forward", "optimize_config")  # What is put on a module for a time, or to say how it is optimized
# Keys in configurations of Hugging Face that are no part of what is computed: where a checkpoint was read from, and
# names in the order of a set, which is another one in each process.
BOOKKEEPING = {"_name_or_path", "_use_default_values", "_diffusers_version", "transformers_version"}


@dataclass(frozen=True)
class Identity:
    """What is known of a module at one time.

    Attributes:
        lasting: SHA-256 of what no call changes: parameters, packed weights, its code with that of the user's modules
            which it imports, and the versions of the libraries that its classes are from.
        state: name -> digest of what a call may change: buffers, and the attributes that are set on the modules and on
            their classes.
    """

    lasting: str
    state: dict[str, str]

    def fingerprint(self, changing: Collection[str] = ()) -> str:
        """Return 64 hexadecimal digits: one half of what lasts, one of the state.

        Args:
            changing: names in the state that calls change (a counter, a cache): they are no part of it.
        """
        kept = sorted((name, digest) for name, digest in self.state.items() if name not in changing)
        return self.lasting[:HALF] + text_digest(repr(kept))[:HALF]


def identity_of(module: torch.nn.Module) -> Identity:
    """Return what a module is now, whatever stands in the place of its `forward`; reads each weight once."""
    from pytest_navigator.backends.torch.source import TorchFramework

    digests = TorchFramework().source(module, {}).digests()
    buffers = dict(module.named_buffers(remove_duplicate=False))
    weights = sorted((name, digest) for name, digest in digests.items() if name not in buffers)
    state = {name: digests[name] for name in buffers} | dict(_attributes(module))
    return Identity(text_digest(repr([weights, _code(module)])), state)


def fingerprint(module: torch.nn.Module, changing: Collection[str] = ()) -> str:
    """Return the digest of a module as it is now; see `Identity.fingerprint`."""
    return identity_of(module).fingerprint(changing)


def changing(before: Identity, after: Identity) -> list[str]:
    """Return the names of what calls between two times have changed."""
    return changed(before.state, after.state)


def _code(module: torch.nn.Module) -> list[str]:
    """Return what tells the code of a module: its classes by name, files, those of what these import, the rest."""
    parts = dict(module.named_modules())
    kinds = list(dict.fromkeys(type(part) for part in parts.values()))
    own = [found for part in parts.values() if (found := _own_forward(part)) is not None]
    named = [f"{name} {name_of(type(part))}" for name, part in parts.items()]
    texts = [str(described(each)) for each in own] + [text for part in parts.values() if (text := _generated(part))]
    files = [digest for _, digest in code_of([*kinds, *own])]
    return [*named, *sorted(set(texts)), *sorted(files), *texts_of(kinds), *_versions(kinds)]


def _own_forward(part: torch.nn.Module) -> Any:
    """Return the `forward` that somebody has set on an instance; None for that of the class, or if it is ours."""
    from pytest_navigator.pipelines.registry import registered

    wrapped = next((each for each in registered() if each.module is part and each.replaced), None)
    found = wrapped.original if wrapped else vars(part).get("forward")
    bound_to_class = getattr(found, "__func__", None) is getattr(type(part), "forward", None)
    return None if found is None or bound_to_class or _is_ours(found) else found


def _is_ours(function: Any) -> bool:
    # `functools.wraps` copies the name of the module: what a function is from, its globals tell.
    names = getattr(function, "__globals__", None) or {"__name__": type(function).__module__}
    return str(names.get("__name__")).partition(".")[0] == OURS


def _generated(part: torch.nn.Module) -> str:
    """Return the code that a ScriptModule and a GraphModule have in no file; "" for others."""
    text = getattr(part, "code", "") if type(part).__module__.partition(".")[0] == PYTORCH or _is_graph(part) else ""
    return text if isinstance(text, str) else ""


def _is_graph(part: torch.nn.Module) -> bool:
    return any(kind.__module__ == "torch.fx.graph_module" for kind in type(part).__mro__)


def _versions(kinds: list[type]) -> list[str]:
    """Return the versions of the libraries, but for PyTorch, that classes are from."""
    tops = {kind.__module__.partition(".")[0] for kind in kinds} - {PYTORCH, OURS, "__main__"}
    return [f"{name} {version}" for name, version in own_versions(tops).items()]


def _attributes(module: torch.nn.Module) -> Iterator[tuple[str, str]]:
    """Yield what is set on a module and its submodules beside weights, on their classes, and hooks of submodules."""
    yield from settings_of({type(part) for part in module.modules()}).items()
    yield from ((f"{name} hooks", text_digest(str(described(hooks)))) for name, hooks in hooks_of(module).items())
    for name, part in module.named_modules():
        for attribute, value in vars(part).items():
            if attribute not in torchs_own() and attribute not in OF_OURS:
                yield f"{name}.{attribute}".removeprefix("."), text_digest(str(_setting(value)))


def _setting(value: Any) -> Any:
    """Return what is set on a module as plain data that is the same in every process."""
    is_configuration = callable(getattr(value, "to_dict", None)) and not isinstance(value, type)
    return _without_bookkeeping(described(value.to_dict() if is_configuration else value))


def _without_bookkeeping(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_bookkeeping(item) for key, item in value.items() if key not in BOOKKEEPING}
    return [_without_bookkeeping(item) for item in value] if isinstance(value, list) else value


@cache
def torchs_own() -> frozenset[str]:
    """Names of what PyTorch itself keeps in each module: weights, which are told apart, hooks and its mode."""
    import torch

    return frozenset(vars(torch.nn.Module()))

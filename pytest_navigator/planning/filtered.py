"""Settings that choose what is checked -> which of their values choose nothing (pure)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_navigator.configuration.settings import filters, with_origin
from pytest_navigator.core.steps import BEST
from pytest_navigator.core.variants import covers
from pytest_navigator.errors import ConfigError
from pytest_navigator.planning.choosing import as_written

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from pytest_navigator.configuration.settings import Settings
    from pytest_navigator.core.variants import Variant
    from pytest_navigator.formats.registry import Registry
    from pytest_navigator.planning.matrix import Matrix


# Setting -> whether one of its values chooses anything of a suite.
CHOOSES: dict[str, Callable[..., bool]] = {
    "formats": lambda name, matrix: any(covers(name, variant) for variant in matrix.variants.values()),
    "runtimes": lambda name, matrix: any(name in (each.name, each.runtime) for each in matrix.runners.values()),
    "precisions": lambda name, matrix: any(of_precision(variant, [name]) for variant in matrix.variants.values()),
    "batch_sizes": lambda size, matrix: not matrix.batches or _batch(size) in matrix.batches,
}

# Setting -> which may leave out what its values would choose.
NARROWED = dict.fromkeys(("formats", "runtimes", "precisions"), ("formats", "runtimes", "precisions", "device"))


def check_cells(
    suites: Sequence[tuple[str, Settings, Matrix]], registry: Registry, unasked: Collection[str] = frozenset()
) -> None:
    """Find settings that leave nothing to check, or a part of which asks for nothing: a green run would not say so.

    Args:
        suites: what each is called, and what is to be checked of it.
        unasked: names of formats in the settings that nobody has asked for by name.

    Raises:
        ConfigError: with the setting, and where it comes from.
    """
    if suites and not any(matrix.cells for _, _, matrix in suites):
        name, settings, matrix = suites[0]
        text = f"there is no runner left to check {name} with: {filters(settings)}"
        raise ConfigError(text + _not_made(settings, matrix, registry))
    if problem := needless([(settings, matrix) for _, settings, matrix in suites], registry, unasked):
        raise ConfigError(problem)


def _not_made(settings: Settings, matrix: Matrix, registry: Registry) -> str:
    made = {variant.format for variant in matrix.variants.values()}
    asked, formats = settings.runtimes or (), registry.formats.values()
    lacking = [r for form in formats for r in form.runner_specs if r.name in asked and form.name not in made]
    return "".join(f"; {r.name} runs {r.format}, which is not made: name it in --nav-formats" for r in lacking)


def needless(
    suites: Sequence[tuple[Settings, Matrix]], registry: Registry, unasked: Collection[str] = frozenset()
) -> str:
    """Return the first value that chooses nothing in any suite for which it holds, with its setting; "" for none.

    What a stronger place narrows is no fault of the weaker one: `--nav-formats=onnx` may leave nothing to a runtime
    of nav_config, which the run of everything uses.

    Args:
        unasked: names of formats in the settings that nobody has asked for by name.
    """
    for option in CHOOSES:
        holding: dict[str | int, list[tuple[Settings, Matrix]]] = {}
        asked: dict[str | int, Settings] = {}  # with the first settings that ask for it
        for settings, matrix in suites:
            narrowed = _narrowed(option, settings)
            for value in _values(option, settings, registry):
                holding.setdefault(value, []).append((settings, matrix))
                if not narrowed and value not in unasked:
                    asked.setdefault(value, settings)
        for value, settings in asked.items():
            if not any(CHOOSES[option](name, m) for s, m in holding[value] for name in _meant(option, value, s)):
                return f"{with_origin(settings, option)}: {_why(option, value)}"
    return ""


def _narrowed(option: str, settings: Settings) -> bool:
    others = (settings.all[name].strength for name in NARROWED.get(option, ()))
    return any(strength > settings.all[option].strength for strength in others)


def of_precision(variant: Variant, precisions: Collection[str]) -> bool:
    """Whether a variant has one of these precisions; one without any of its own has none."""
    return variant.parameters.get("precision") in precisions


def _values(option: str, settings: Settings, registry: Registry) -> Sequence[str | int]:
    if option == "formats":
        return as_written(settings, registry)
    found = getattr(settings, option) or ()
    return [found] if isinstance(found, str) else found


def _meant(option: str, value: str | int, settings: Settings) -> Sequence[str | int]:
    # "cpu" is a runtime, too
    return settings.groups.get(str(value), (value,)) if option == "formats" else (value,)


def _batch(size: str | int) -> str:
    return BEST if isinstance(size, str) else f"batch{size}"


def _why(option: str, value: str | int) -> str:
    measured = "search the sizes of" if isinstance(value, str) else f"measure {value} rows on"
    texts = {
        "formats": f"nothing that is made is {value!r}",
        "runtimes": f"{value!r} runs nothing that is made; name in --nav-formats what it runs, or leave it out",
        "precisions": f"nothing that is made has the precision {value!r}; name in --nav-formats what has it",
        "batch_sizes": f"no model has a batch axis to {measured} (batch_dim is None); leave it out",
    }
    return texts[option]

"""What of a package Model Navigator 0.14 can read: the rest must be where its loader does not look.

It knows no other formats, configurations and runners than its own, works out the folder of an artifact from the
parameters instead of reading it, and calls a program with the model's own structure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_navigator.backends.builtin import known
from pytest_navigator.core.facts import MakingFacts, facts_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_navigator.core.plain import JSON
    from pytest_navigator.core.records import Signature
    from pytest_navigator.core.variants import Variant
    from pytest_navigator.formats.navigator import Navigator
    from pytest_navigator.package.query.results import Results

COMMON = ("custom_args", "device")  # Fields of all its custom configurations

FLAT = ("torch-exportedprogram", "torchscript")


def readable(results: Results, variant: Variant) -> bool:
    """Whether it can load and call an artifact."""
    return (
        own(variant.format) is not None
        and variant.key == "-".join((variant.format, *_parts(results, variant)))
        and not (variant.format in FLAT and _flat(results, variant) and not _by_position(results.signature))
    )


def own_runners(variant: Variant) -> tuple[str, ...]:
    """Return the runners of an artifact that are its own too."""
    known_to_it = own(variant.format)
    return tuple(name for name in variant.runners if known_to_it and name in known_to_it.runners)


def framework(name: str) -> str:
    """Return its name of the framework that a source is of."""
    known_to_it = own(name)
    return (known_to_it and known_to_it.framework) or name


def own(form: str) -> Navigator | None:
    """Return what it knows of a format; None: nothing."""
    found = known().formats.get(form)
    return found.navigator if found else None


def custom_configs(variants: Sequence[Variant]) -> dict[str, JSON]:
    """Return the parameters of each format; where its variants differ in one, the list of the values."""
    configs: dict[str, dict[str, list[JSON]]] = {}
    for variant, form in ((variant, own(variant.format)) for variant in variants):
        if form is None or not form.config:
            continue
        config = configs.setdefault(form.config, {})
        for field, value in parameters(variant).items():
            if field in (*form.fields, *COMMON) and value not in config.setdefault(field, []):
                config[field].append(value)
    return {
        name: {field: values[0] if len(values) == 1 else values for field, values in config.items()}
        for name, config in configs.items()
    }


def parameters(variant: Variant) -> dict[str, JSON]:
    """Return the parameters of an artifact, with types by the names that it reads."""
    dtype = variant.parameters.get("autocast_dtype")
    return {**variant.parameters, **({"autocast_dtype": f"torch.{dtype}"} if dtype else {})}


def _parts(results: Results, variant: Variant) -> list[str]:
    # It works the folder out from the parameters of the whole chain, the root first, instead of reading it.
    chain = [results.variant(key) for key in reversed(results.chain(variant.key))]
    return [part for each in chain for part in _own_parts(each.format, each.parameters)]


def _own_parts(form: str, given: Mapping[str, JSON]) -> list[str]:
    known_to_it = own(form)
    parts = known_to_it.folder.items() if known_to_it else ()
    return [text or str(given[name]) for name, text in parts if given.get(name)]


def _flat(results: Results, variant: Variant) -> bool:
    """Whether a program takes arrays by position and returns a tuple of them, whatever the model's structure is."""
    if variant.format == "torch-exportedprogram":
        return not variant.parameters.get("structured")
    return facts_of(results.made(variant.key), MakingFacts).interface == "flat"


def _by_position(signature: Signature | None) -> bool:
    """Whether the model itself takes arrays by position and returns several of them in a row."""
    if signature is None:
        return False
    takes, gives = signature.input_tree, signature.output_tree
    row = gives.get("tuple") or gives.get("list") or []
    return not takes["kwargs"] and all("leaf" in node for node in (*takes["args"], *row)) and bool(row)

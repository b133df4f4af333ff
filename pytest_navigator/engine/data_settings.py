"""What a configuration file says of the data, by the signature's names: what repeats a run from `config.yaml`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_navigator.backends.files.description import named
from pytest_navigator.core.plain import plain

if TYPE_CHECKING:
    from pytest_navigator.configuration.nav_config_file import FileConfig
    from pytest_navigator.core.plain import JSON
    from pytest_navigator.core.records import Description
    from pytest_navigator.engine.context import Context


def said_of(context: Context, own: Description) -> FileConfig:
    """Return the configuration of the random data, by the names in the model file."""
    config = context.suite.settings.config
    theirs = {ours: name for name, ours in _names(context, own).items()}
    unbatched = tuple(theirs.get(name, name) for name in config.unbatched)
    return replace(context.host.file_config, batch_dim=config.batch_dim, unbatched=unbatched)


def data_settings(context: Context, own: Description | None, *, drawn: bool) -> dict[str, JSON]:
    """Return the shapes and the ranges that the data and the engines go by, as far as a file has said them.

    Args:
        drawn: whether the data is random; else only the shapes that engines are tuned for are of use.
    """
    file = context.host.file_config
    if not file.given:
        return {}
    if own is None or not drawn:
        shapes = {"opt": {name: list(shape) for name, shape in file.opt_shapes.items()}} if file.opt_shapes else {}
        return {"said_shapes": plain(shapes)}
    from pytest_navigator.engine.random_shapes import KINDS, plan

    said, names = said_of(context, own), _names(context, own)
    found = plan(own.inputs, said)
    drawn_at = {kind: {names[n]: list(shape) for n, shape in getattr(found, kind).items()} for kind in KINDS}
    ranges = {ours: said.value_ranges.get(name, said.value_ranges.get("")) for name, ours in names.items()}
    own_ranges = {name: list(bounds) for name, bounds in ranges.items() if bounds is not None}
    return {"said_shapes": plain(drawn_at), "said_ranges": plain(own_ranges)}


def _names(context: Context, own: Description) -> dict[str, str]:
    """Return the name in the file -> the name in the signature of each input."""
    ours = named(own, context.suite.settings.config)
    return dict(zip((spec.name for spec in own.inputs), (spec.name for spec in ours.inputs), strict=True))

"""What to do where a model cannot run on the first row of a sample, which is a call that nobody but us makes."""

from __future__ import annotations

IN_CODE = {"batch_dim": "NavConfig(batch_dim=None)", "unbatched": "NavConfig(unbatched=[...])"}
# How the settings are written, by where the user has them.
IN_FILE = {"batch_dim": "batch_dim: null in --nav-config", "unbatched": "unbatched: [...] in --nav-config"}

OWN_CALL = (
    "; this call, on the first row of a sample, is a check of ours: where the model takes no batch of 1, say that "
    "nothing is to be cut into rows, {batch_dim}"
)
WRONG_ROW = (
    "; an input that has no batch is to be named: {unbatched}; where one has it on another axis than the others: "
    "{batch_dim}"
)


def row_hint(inputs: int, batch_1_is_given: bool, in_file: bool) -> str:
    """Return what to say behind the model's own words, "" for nothing.

    Args:
        inputs: how many there are: with several, what is cut into rows may be wrong.
        batch_1_is_given: whether the loader itself gives batches of 1: the model has to take them then.
        in_file: whether the settings are in the file of --nav-config.
    """
    said = ("" if batch_1_is_given else OWN_CALL) + (WRONG_ROW if inputs > 1 else "")
    return said.format(**IN_FILE if in_file else IN_CODE)

"""What kinds of devices there are for a user, by any name of one of them."""

from __future__ import annotations

from pytest_navigator.errors import ConfigError

KINDS = ("cpu", "cuda")
TITLES = {"cuda": "a CUDA device"}

# In the place of a kind: what this machine has, and what was named; everything, wherever it runs.
AUTO, ALL = "auto", "all"


def kind_of(device: object, keyword: str = "target_device") -> str | None:
    """Return "cpu" or "cuda" of a `target_device`: a torch.device, or the name of one ("cuda:0"); None: None.

    Raises:
        ConfigError: it is another kind of device.
    """
    kind = None if device is None else str(device).partition(":")[0]
    if kind is not None and kind not in KINDS:
        raise ConfigError(f'{keyword}={device!r}: "cpu" or "cuda" is needed, or None for any device')
    return kind

"""The entry without pytest's command line, for scripts and notebooks: `nav.torch.export(model, dataloader)`.

Each function says in a NavConfig what its keywords mean (`arguments`), and `running` runs pytest over a suite of that
model: the same steps, the same progress and summary, the same package.
"""

from __future__ import annotations

from importlib import import_module


def __getattr__(name: str) -> object:
    if name != "config":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return import_module(f"{__name__}.config")

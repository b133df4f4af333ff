"""Loading a program of `torch.export`, whose loader logs why it fails and raises something else."""

from __future__ import annotations

import logging
import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    import torch

LOGGER = "torch.export"


def load_program(path: Path) -> torch.export.ExportedProgram:
    """Return the program in a file.

    Raises:
        Exception: what torch raised, or what it has logged instead.
    """
    import torch

    kept, logger = _Kept(), logging.getLogger(LOGGER)
    logger.addHandler(kept)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return torch.export.load(str(path))
    except RuntimeError:
        if kept.errors:
            raise kept.errors[-1]  # noqa: B904 (its own cause stays)
        raise
    finally:
        logger.removeHandler(kept)


class _Kept(logging.Handler):
    """The errors that are logged."""

    def __init__(self) -> None:
        super().__init__()
        self.errors: list[BaseException] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info and record.exc_info[1]:
            self.errors.append(record.exc_info[1])

"""Whether a module decides by a number which code runs: a format has the branch of the number it was made with."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import torch


@contextmanager
def decisions(given: Sequence[torch.Tensor]) -> Iterator[list[str]]:
    """Note what decides by tensors without axes that stand for numbers, or by what is computed of them alone.

    Yields:
        A line of the module's code for each time: "file.py:12".
    """
    import torch
    from torch.overrides import TorchFunctionMode
    from torch.utils._pytree import tree_leaves

    found: list[str] = []
    numbers = {id(each): each for each in given}

    class Noting(TorchFunctionMode):  # type: ignore[misc]  # torch has no types of it
        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            tensors = [each for each in tree_leaves((args, kwargs or {})) if isinstance(each, torch.Tensor)]
            of_numbers = bool(tensors) and all(id(each) in numbers for each in tensors)
            if of_numbers and func is torch.Tensor.__bool__:
                found.append(_line())
            output = func(*args, **(kwargs or {}))
            if of_numbers and isinstance(output, torch.Tensor) and output.dim() == 0:
                numbers[id(output)] = output
            return output

    with Noting():
        yield found


def _line() -> str:
    """Return where the code is that asked, of whatever is neither torch's nor ours."""
    import traceback
    from pathlib import Path

    import torch

    apart = (str(Path(torch.__file__).parent), __file__)
    frames = [each for each in traceback.extract_stack() if not each.filename.startswith(apart)]
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno}"

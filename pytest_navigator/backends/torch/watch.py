"""What PyTorch computes the outputs of a module in, seen in one inference."""

from __future__ import annotations

import sys
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING, Any

import torch
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from pytest_navigator.comparison.computed import Computed, moved, names, result

if TYPE_CHECKING:
    from collections.abc import Callable

# Operations that give the same numbers in another type.
CASTS = names(
    """
    _to_copy copy copy_ dequantize quantize_per_channel quantize_per_tensor quantize_per_tensor_dynamic to
    type_as
    """
)

# Operations whose results are elements of what they take, or their negatives, or constants.
MOVES = names(
    """
    _reshape_alias _unsafe_index _unsafe_view abs alias amax amin cat chunk clamp clamp_max clamp_min clone
    concat concatenate constant_pad_nd contiguous cummax cummin detach diagonal_scatter dropout embedding expand
    fill fill_ flatten flip gather index index_copy index_fill index_put index_put_ index_select kthvalue lift
    lift_fresh masked_fill masked_fill_ masked_scatter masked_select max max_pool1d max_pool2d
    max_pool2d_with_indices max_pool3d maximum min minimum narrow_copy neg one_hot ones_like pad permute_copy
    pixel_shuffle pixel_unshuffle reflection_pad1d reflection_pad2d relu relu_ repeat repeat_interleave
    replication_pad1d replication_pad2d reshape resize_ roll rot90 scatter scatter_ select_scatter slice_scatter
    sort split stack take take_along_dim tile topk transpose_copy tril triu unbind unfold upsample_nearest1d
    upsample_nearest2d upsample_nearest3d where zero_ zeros_like
    """
)


class Watch(TorchDispatchMode):  # type: ignore[misc]
    """Follows every operation, as it runs: what is not called on the way to an output does not count for it.

    What is known is known of memory: views share it, and what writes into a view writes into the whole.
    """

    def __init__(self) -> None:
        super().__init__()
        # Weak references keep the address of freed memory from being taken for that of another.
        self._known: dict[int, tuple[StorageWeakRef, Computed]] = {}

    def of(self, tensor: torch.Tensor) -> Computed:
        """Return what is known of a tensor: nothing of what was there before."""
        found = self._known.get(_memory(tensor).cdata)
        return found[1] if found else Computed()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        value = func(*args, **(kwargs or {}))
        self._note(func, _tensors((args, kwargs)), _tensors(value))
        return value

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Dynamo takes seconds to import, and nothing is compiled here."""
        return False

    def _note(self, func: Any, taken: list[torch.Tensor], given: list[torch.Tensor]) -> None:
        operands = [(self.of(tensor), _type(tensor)) for tensor in taken]
        places = [_memory(tensor).cdata for tensor in taken]
        for tensor in given:
            memory = _memory(tensor)
            found = result(getattr(func, "overloadpacket", func).__name__, _type(tensor), operands, MOVES, CASTS)
            if memory.cdata in places:
                if getattr(func, "is_view", False):
                    continue
                found = moved((found, self.of(tensor)))  # written in place: perhaps only a part of it
            self._known[memory.cdata] = (memory, found)


def watched(call: Callable[[], object]) -> tuple[Any, Watch]:
    """Return what a call of a module gives, and what knows of its tensors. What was compiled runs eagerly."""
    watch = Watch()
    compiled = "torch._dynamo" in sys.modules
    with torch.compiler.set_stance("force_eager") if compiled else nullcontext(), watch:
        return call(), watch


def _tensors(tree: object) -> list[torch.Tensor]:
    return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, torch.Tensor)]


def _type(tensor: torch.Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def _memory(tensor: torch.Tensor) -> StorageWeakRef:
    """Return where the elements of a tensor are; the values of a sparse one."""
    with suppress(NotImplementedError, RuntimeError):
        return StorageWeakRef(tensor.untyped_storage())
    return StorageWeakRef(tensor.detach()._values().untyped_storage())

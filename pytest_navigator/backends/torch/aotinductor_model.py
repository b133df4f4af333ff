"""What is asked of AOTInductor.

Scripts contain the source text of this, so nothing here may use anything but torch.
"""

from __future__ import annotations

from typing import Any


def compile_package(
    artifact: str, output: str, options: dict[str, Any], device: str, metadata: dict[str, str] | None = None
) -> None:
    """Compile an exported program and write the package.

    Args:
        options: of Inductor, by name.
        device: what the code is for, "cpu" or "cuda".
        metadata: texts that are kept in the package.
    """
    import torch
    import torch._inductor
    from torch.export.passes import move_to_device_pass

    program = torch.export.load(artifact)
    if device == "cuda" or any(getattr(tensor, "is_cuda", False) for tensor in program.state_dict.values()):
        program = move_to_device_pass(program, device)
    configs = {**options, "aot_inductor.metadata": metadata or {}}
    torch._inductor.aoti_compile_and_package(program, package_path=output, inductor_configs=configs)


def load_package(path: str, device_index: int = -1) -> Any:
    """Return what runs a package: it takes the tensors, and returns them in the structure of the program."""
    import torch._inductor

    return torch._inductor.aoti_load_package(path, device_index=device_index)


def by_position(package: Any) -> Any:
    """Return what takes tensors by position, for a package of others: it may take some by name, or in a structure."""
    from torch.utils import _pytree

    taken = _pytree.treespec_loads(package.loader.get_call_spec()[0])

    def called(*tensors: Any) -> Any:
        if len(tensors) != taken.num_leaves:
            raise ValueError(f"the package takes {taken.num_leaves} tensors, not {len(tensors)}")
        args, kwargs = _pytree.tree_unflatten(tensors, taken)
        return package(*args, **kwargs)

    return called

"""LiteRT's files: opened, filled and read.

Scripts contain the source text of this, so nothing here may use anything but numpy and LiteRT.
"""

from __future__ import annotations

from typing import Any


def open_files(folder: str, num_threads: int) -> dict[str, Any]:
    """Return an interpreter of each file in a folder, by its name; memory is taken when one is used."""
    from pathlib import Path

    from ai_edge_litert.interpreter import Interpreter

    paths = sorted(Path(folder).glob("*.tflite"))
    return {path.stem: Interpreter(str(path), num_threads=num_threads) for path in paths}


def ports(model: Any, names: list[str], kind: str) -> list[dict[str, Any]]:
    """Return what a file says of its inputs or outputs, in the order of the names.

    Args:
        names: those of the model; a file has them, or numbers its own ("args_0", "output_1").
        kind: "input" or "output".
    """
    found = list(getattr(model, f"get_{kind}_details")())
    for listed in model.get_signature_list():
        own = getattr(model.get_signature_runner(listed), f"get_{kind}_details")()
        if set(own) >= set(names) and {own[name]["index"] for name in names} <= {port["index"] for port in found}:
            return [own[name] for name in names]
    # litert-torch numbers them, in this order; of a quantized file the signature still tells of the float tensors.
    return found


def chosen(models: dict[str, Any], names: list[str], feed: dict[str, Any]) -> Any:
    """Return the interpreter whose inputs have the shapes of the arrays; None: there is none."""
    wanted = [list(feed[name].shape) for name in names]
    for model in models.values():
        if [list(port["shape"]) for port in ports(model, names, "input")] == wanted:
            return model
    return None


def given(model: Any, names: list[str], feed: dict[str, Any]) -> list[tuple[int, Any]]:
    """Prepare an interpreter; returns its inputs as numbers and arrays in the types of the file.

    Args:
        model: None where no file takes arrays of these shapes.

    Raises:
        ValueError: there is no interpreter.
        OverflowError: a number has no place in the type of the file; with what and where.
    """
    if model is None:
        raise ValueError(f"no file takes {', '.join(f'{name} {feed[name].shape}' for name in names)}")
    model.allocate_tensors()
    own = zip(names, ports(model, names, "input"))  # noqa: B905
    return [(int(port["index"]), in_file(name, feed[name], port)) for name, port in own]


def in_file(name: str, array: Any, port: dict[str, Any]) -> Any:
    """Return an array in the type that a file has for it."""
    import numpy as np

    kind, (scale, zero) = np.dtype(port["dtype"]), port["quantization"]
    if array.dtype != kind and kind.kind in "iu" and array.size:
        limits = np.iinfo(kind)
        if array.dtype.kind == "f" and scale:
            return np.clip(np.rint(array / scale) + zero, limits.min, limits.max).astype(kind)
        least, most = array.min(), array.max()
        if least < limits.min or most > limits.max:
            bad = least if least < limits.min else most
            raise OverflowError(f"input {name!r} has {bad}, and the file takes {kind} for its {array.dtype}")
    return np.asarray(array, kind, order="C")


def ends(model: Any, names: list[str]) -> list[int]:
    """Return the numbers of the outputs."""
    return [int(port["index"]) for port in ports(model, names, "output")]


def computed(model: Any, inputs: list[tuple[int, Any]], outputs: list[int]) -> list[Any]:
    """Run an interpreter on arrays; returns its outputs as they are in the file."""
    for index, array in inputs:
        model.set_tensor(index, array)
    model.invoke()
    return [model.get_tensor(index) for index in outputs]


def results(model: Any, names: list[str], kinds: list[Any], arrays: list[Any]) -> list[Any]:
    """Return the outputs of an interpreter in the types of the model.

    An output that is an input is int8 in a quantized file, as the input is to what computes with it.
    """
    import numpy as np

    found = []
    for array, kind, port in zip(arrays, kinds, ports(model, names, "output")):  # noqa: B905
        scale, zero = port["quantization"]
        if scale and array.dtype.kind in "iu" and np.dtype(kind).kind == "f":
            array = (array.astype("float32") - zero) * scale
        found.append(array.astype(kind))
    return found


def fitted(samples: Any, shapes: dict[str, Any], batched: list[str], axis: int | None) -> Any:
    """Yield the samples in the shapes of a file: cut into its batches, and filled up with their first rows.

    Samples whose other axes have other sizes are left out.
    """
    import numpy as np

    for sample in samples:
        rows = sample[batched[0]].shape[axis] if batched else 1
        size = shapes[batched[0]][axis] if batched else 1
        for start in range(0, rows, size):
            places = np.arange(start, start + size) % rows
            part = {n: np.take(a, places, axis) if n in batched else a for n, a in sample.items()}
            if all(list(part[name].shape) == list(shape) for name, shape in shapes.items()):
                yield part


COMPUTING = ("CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV", "CONV_3D", "FULLY_CONNECTED", "BATCH_MATMUL")


def quantizable(path: str) -> list[bool]:
    """Return of each operator that can compute in int8 whether it does."""
    import numpy as np
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    plain = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    model = Interpreter(path, experimental_op_resolver_type=plain)
    kinds = {tensor["index"]: tensor["dtype"] for tensor in model.get_tensor_details()}
    operators = [each for each in model._get_ops_details() if each["op_name"] in COMPUTING]
    return [kinds.get(int(each["inputs"][0])) == np.int8 for each in operators]


def written(path: str) -> list[str]:
    """Return the names of the tensors that the operators of a file write."""
    from ai_edge_litert.interpreter import Interpreter

    model = Interpreter(path)
    names = {tensor["index"]: tensor["name"] for tensor in model.get_tensor_details()}
    outputs = (int(index) for operator in model._get_ops_details() for index in operator["outputs"])
    return [names[index] for index in outputs if index in names]

"""The text of a `model.py` for Triton's Python backend: `str.format` templates."""

from __future__ import annotations

import sys

STANDARD = sys.stdlib_module_names

# How a tensor of a request becomes an array, by the kind of its type: as it is, and as a number without an axis.
TAKEN = {
    "number": ("{name!r}: array_of(request, {name!r})", "{name!r}: array_of(request, {name!r}).reshape(())"),
    "bfloat16": ("{name!r}: bits_of(request, {name!r})", "{name!r}: bits_of(request, {name!r}).reshape(())"),
    "str": ("{name!r}: text_of(request, {name!r})", "{name!r}: text_of(request, {name!r}).reshape(())"),
    "bytes": ("{name!r}: bytes_of(request, {name!r})", "{name!r}: bytes_of(request, {name!r}).reshape(())"),
}

# The other way.
GIVEN = {
    "number": ("tensor({name!r}, outputs[{name!r}])", "tensor({name!r}, outputs[{name!r}].reshape(1))"),
    "bfloat16": ("bits_tensor({name!r}, outputs[{name!r}])", "bits_tensor({name!r}, outputs[{name!r}].reshape(1))"),
    "str": ("text_tensor({name!r}, outputs[{name!r}])", "text_tensor({name!r}, outputs[{name!r}].reshape(1))"),
    "bytes": ("bytes_tensor({name!r}, outputs[{name!r}])", "bytes_tensor({name!r}, outputs[{name!r}].reshape(1))"),
}

ENCODING = """
# The server's Python takes ASCII for the encoding of the files that libraries read, whatever its environment says.
with suppress(locale.Error):
    locale.setlocale(locale.LC_CTYPE, "C.UTF-8")
"""

NUMBERS = '''
# Older servers are built for numpy 1: what they make of arrays of numpy 2, and for it, is wrong. DLPack is the same.
BY_DLPACK = np.lib.NumpyVersion(np.__version__) >= "2.0.0"


def array_of(request, name: str):
    """Return an input of a request."""
    tensor = pb_utils.get_input_tensor_by_name(request, name)
    return np.from_dlpack(tensor) if BY_DLPACK else tensor.as_numpy()


class Shared:
    """An array for Triton by DLPack."""

    def __init__(self, array) -> None:
        self.array = np.require(array, requirements=["C", "W"])

    def __dlpack_device__(self):
        return self.array.__dlpack_device__()

    def __dlpack__(self, **options):
        capsule = self.array.__dlpack__()
        # Triton frees the memory itself; numpy's own way complains that the capsule has another name by then.
        ctypes.pythonapi.PyCapsule_SetDestructor(ctypes.py_object(capsule), None)
        return capsule


def tensor(name: str, array):
    """Return an output of a response."""
    if BY_DLPACK:
        return pb_utils.Tensor.from_dlpack(name, Shared(array))
    return pb_utils.Tensor(name, np.ascontiguousarray(array))
'''

BITS = '''
def bits_of(request, name: str):
    """Return an input of a type that numpy has from ml_dtypes."""
    return to_numpy(torch.from_dlpack(pb_utils.get_input_tensor_by_name(request, name)))


def bits_tensor(name: str, array):
    """Return an output of such a type."""
    return pb_utils.Tensor.from_dlpack(name, from_numpy(array))
'''

TEXT = '''
def text_of(request, name: str):
    """Return an input of text, which Triton has as bytes."""
    array = pb_utils.get_input_tensor_by_name(request, name).as_numpy()
    return np.char.decode(array.astype(np.bytes_), "utf-8")


def text_tensor(name: str, array):
    """Return an output of text."""
    return pb_utils.Tensor(name, np.char.encode(np.asarray(array, np.str_), "utf-8").astype(object))
'''

BYTES = '''
def bytes_of(request, name: str):
    """Return an input of bytes."""
    return pb_utils.get_input_tensor_by_name(request, name).as_numpy().astype(np.bytes_)


def bytes_tensor(name: str, array):
    """Return an output of bytes."""
    return pb_utils.Tensor(name, array.astype(object))
'''

CONVERSIONS = {"number": NUMBERS, "bfloat16": BITS, "str": TEXT, "bytes": BYTES}

LOAD = '''
def load_model(path: str):
    """Load the file."""
    {load}
    return model
'''

INFER = '''
def infer(model, feed: dict) -> dict:
    """Run one inference; arrays by name."""
    {body}
'''

READ = '''
def read(request) -> dict:
    """Return the arrays of a request by name."""
    return {{
{inputs}
    }}
'''

WRITE = '''
def response(outputs: dict):
    """Return the answer with these arrays."""
    tensors = [
{outputs}
    ]
    return pb_utils.InferenceResponse(tensors)
'''

MODEL = '''
class TritonPythonModel:
    """What the server calls."""

    def initialize(self, args: dict) -> None:
        """Load the file that stands beside this one."""
        self.model = load_model(os.path.join(args["model_repository"], args["model_version"], {file!r}))

    def execute(self, requests: list) -> list:
        """Answer requests, each with its outputs or with its error."""
        try:
            return self.answers(requests)
        except Exception as error:
            if len(requests) > 1:  # the others need not fail with it
                return [answer for request in requests for answer in self.execute([request])]
            text = f"{{type(error).__name__}}: {{error}}"
            return [pb_utils.InferenceResponse(output_tensors=[], error=pb_utils.TritonError(text))]

    def finalize(self) -> None:
        """Free the model."""
        del self.model
'''

BATCHES = '''
    def answers(self, requests: list) -> list:
        """Run requests as one batch: Triton puts together those of one shape alone."""
        feeds = [read(request) for request in requests]
        if len(feeds) == 1:
            return [response(infer(self.model, feeds[0]))]
        joined = {name: np.concatenate([feed[name] for feed in feeds]) for name in feeds[0]}
        ends = np.cumsum([len(next(iter(feed.values()))) for feed in feeds])[:-1]
        parts = {name: np.split(array, ends) for name, array in infer(self.model, joined).items()}
        return [response({name: rows[i] for name, rows in parts.items()}) for i in range(len(requests))]
'''

SINGLE = '''
    def answers(self, requests: list) -> list:
        """Run each request."""
        return [response(infer(self.model, read(request))) for request in requests]
'''

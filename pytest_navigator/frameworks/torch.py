"""PyTorch: tensors, random state and live modules."""

from __future__ import annotations

import hashlib
import inspect
from contextlib import ExitStack
from contextlib import contextmanager
from typing import TYPE_CHECKING
from typing import Any
from typing import ClassVar
from typing import cast

from pytest_navigator.comparison.tolerances import PRECISIONS
from pytest_navigator.errors import SourceError
from pytest_navigator.frameworks.base import Framework
from pytest_navigator.frameworks.base import Source

if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Mapping
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    import numpy as np
    import torch

    from pytest_navigator.records import JSON

# Types that numpy has only through ml_dtypes and torch only by itself; both sides agree on the bits.
FOREIGN = ("bfloat16", "float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz", "float8_e8m0fnu")
BITS = {1: "uint8", 2: "int16"}


class TorchFramework(Framework):
    """PyTorch."""

    name: ClassVar[str] = "torch"
    package: ClassVar[str] = "torch"

    def is_array(self, value: object) -> bool:
        """Whether `value` is a tensor or a numpy array."""
        import numpy as np
        import torch

        return isinstance(value, torch.Tensor | np.ndarray)

    def to_numpy(self, array: object) -> np.ndarray:
        """Copy a tensor (or an array, or a number) to numpy; shape and type stay."""
        import ml_dtypes
        import numpy as np
        import torch

        if not isinstance(array, torch.Tensor):
            return np.array(array)
        tensor = array.detach()
        if tensor.layout is not torch.strided:
            tensor = tensor.to_dense()
        tensor = tensor.resolve_conj().resolve_neg().cpu()
        name = str(tensor.dtype).removeprefix("torch.")
        if name not in FOREIGN:
            return np.array(tensor.numpy())
        bits = tensor.contiguous().view(getattr(torch, BITS[tensor.element_size()]))
        return np.array(bits.numpy()).view(getattr(ml_dtypes, name))

    def from_numpy(self, array: np.ndarray, device: str = "cpu") -> torch.Tensor:
        """Copy an array to a tensor on `device`; shape and type stay, the memory is never shared."""
        import numpy as np
        import torch

        own = np.array(array, dtype=array.dtype.newbyteorder("="), order="C")
        if own.dtype.name not in FOREIGN:
            return torch.from_numpy(own).to(device)
        bits = torch.from_numpy(own.view(BITS[own.itemsize]))
        return bits.view(getattr(torch, own.dtype.name)).to(device)

    @contextmanager
    def seeded(self, seed: int) -> Iterator[None]:
        """Seed torch's generators of all devices; the old states come back on leaving."""
        import torch

        devices = range(torch.cuda.device_count()) if torch.cuda.is_available() else ()
        with torch.random.fork_rng(devices=list(devices)):
            torch.manual_seed(seed)
            yield

    def source(self, model: object, parameters: dict[str, JSON]) -> TorchSource:
        """Wrap an `nn.Module` (or a ScriptModule); `parameters` are the fields of TorchConfig."""
        import torch

        if isinstance(model, type) and issubclass(model, torch.nn.Module):
            raise SourceError(f"the model is the class {model.__name__}: an instance of it is needed")
        if not isinstance(model, torch.nn.Module):
            raise SourceError(f"the model is {type(model).__name__}: a torch.nn.Module is needed")
        return TorchSource(self, model, parameters)


class TorchSource(Source):
    """A live `nn.Module`."""

    def __init__(self, framework: TorchFramework, model: torch.nn.Module, parameters: dict[str, JSON]) -> None:
        self.framework = framework
        self.model: torch.nn.Module = model
        self.parameters = parameters

    def check(self) -> None:
        """Raise SourceError unless every submodule is in inference mode and all tensors are on one real device."""
        import torch

        if training := [name for name, module in self.model.named_modules() if _training(module)]:
            raise SourceError(_training_message(self.model, training))
        devices: dict[str, str] = {}
        for name, tensor in self._tensors().items():
            if torch.nn.parameter.is_lazy(tensor):
                raise SourceError(
                    f"nav_model has no values: {name!r} gets them in the first call; call the model once in the fixture"
                )
            devices.setdefault(str(tensor.device), name)
        if len(devices) > 1:
            where = ", ".join(f"{name!r} on {device}" for device, name in devices.items())
            raise SourceError(f"nav_model is on more than one device ({where}): move all of it with model.to(device)")
        if "meta" in devices:
            raise SourceError(f"nav_model has no values: {devices['meta']!r} is on the device 'meta'; load its weights")

    def fingerprint(self) -> str | None:
        """SHA-256 over parameters and buffers (names, types, shapes, bytes); None for a model without any."""
        digests = self.digests()
        return hashlib.sha256(repr(sorted(digests.items())).encode()).hexdigest() if digests else None

    def digests(self) -> dict[str, str]:
        """SHA-256 of each parameter and buffer (type, shape, bytes)."""
        return {name: _digest(tensor) for name, tensor in self._tensors().items()}

    def parameter_names(self) -> Sequence[str]:
        """Names of the positional parameters of `forward`, without self, *args and **kwargs."""
        schema = getattr(self.model.forward, "schema", None)
        if schema is not None:
            return [argument.name for argument in schema.arguments if argument.name != "self"]
        kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        parameters = inspect.signature(self.model.forward).parameters.values()
        return [parameter.name for parameter in parameters if parameter.kind in kinds]

    def call(self, args: Sequence[object], kwargs: dict[str, object]) -> object:
        """Run one inference on the model's device, without gradients."""
        device = self.device()
        with calling(self.parameters, device):
            return self.model(
                *(_moved(arg, device) for arg in args), **{k: _moved(v, device) for k, v in kwargs.items()}
            )

    def device(self) -> str:
        """The device of the first parameter or buffer; "cpu" for a model without any."""
        return next((str(tensor.device) for tensor in self._tensors().values()), "cpu")

    def precision(self) -> str:
        """The lowest of autocast's precision and those of the parameters; "" for a model without any."""
        import torch

        types = {tensor.dtype for tensor in self._tensors().values() if tensor.is_floating_point()}
        if self.parameters.get("autocast"):
            default = torch.get_autocast_dtype(torch.device(self.device()).type)
            types.add(getattr(torch, self.parameters.get("autocast_dtype") or "", default))
        names = {str(dtype).removeprefix("torch.") for dtype in types}
        return next((PRECISIONS[name] for name in ("bfloat16", "float16", "float32", "float64") if name in names), "")

    @contextmanager
    def preserved(self) -> Iterator[None]:
        """Put modes, devices and gradient flags (the global one too) back on leaving."""
        import torch

        device = self.device()
        gradients = torch.is_grad_enabled()
        flags = {parameter: parameter.requires_grad for parameter in self.model.parameters()}
        modes = {module: _training(module) for module in self.model.modules()}
        try:
            yield
        finally:
            torch.set_grad_enabled(gradients)
            if self.device() != device:
                self.model.to(device)
            for module, mode in modes.items():
                if _training(module) != mode:
                    module.training = mode
            for parameter, flag in flags.items():
                if parameter.requires_grad != flag:  # one without values cannot be asked for anything
                    parameter.requires_grad_(flag)

    def _tensors(self) -> dict[str, torch.Tensor]:
        """Parameters and buffers, those that state_dict leaves out (non-persistent ones) too."""
        import torch

        state = {name: value for name, value in self.model.state_dict().items() if isinstance(value, torch.Tensor)}
        return state | dict(self.model.named_buffers(remove_duplicate=False))


@contextmanager
def calling(parameters: Mapping[str, JSON], device: str) -> Iterator[None]:
    """How a model is called: without gradients, with autocast only if `parameters` ask for it."""
    with ExitStack() as stack:
        for context in contexts(parameters, device):
            stack.enter_context(context)
        yield


def contexts(parameters: Mapping[str, JSON], device: str) -> list[AbstractContextManager[Any]]:
    """Return the contexts of `calling`, for those who must enter them for longer than one call."""
    import torch

    found: list[AbstractContextManager[Any]] = [
        torch.inference_mode() if parameters.get("inference_mode", True) else torch.no_grad()
    ]
    if parameters.get("autocast"):
        name = parameters.get("autocast_dtype")
        dtype = getattr(torch, name) if name else None
        found.append(torch.autocast(device.partition(":")[0], dtype=dtype))
    return found


def _training(module: torch.nn.Module) -> bool:
    """Frozen ScriptModules have no mode any more."""
    return bool(getattr(module, "training", False))


def _training_message(model: torch.nn.Module, names: Sequence[str]) -> str:
    # The leaves are what behaves differently; a container's flag only says that they were not asked.
    name = names[-1] if names[0] == "" else names[0]
    what = f"submodule {name!r} ({type(model.get_submodule(name)).__name__})" if name else type(model).__name__
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return f"nav_model is in training mode: {what}{more}; return model.eval()"


def _digest(tensor: torch.Tensor) -> str:
    digest = hashlib.sha256(f"{tensor.dtype} {tuple(tensor.shape)}\n".encode())
    digest.update(_bytes(tensor))
    return digest.hexdigest()


def _bytes(tensor: torch.Tensor) -> memoryview:
    import torch

    if tensor.layout is not torch.strided:
        tensor = tensor.to_dense()
    flat = tensor.detach().resolve_conj().resolve_neg().cpu().contiguous().reshape(-1)
    return memoryview(cast("Any", flat.view(torch.uint8).numpy()))


def _moved(value: object, device: str) -> object:
    """Return `value` with its tensors on `device`: the very same object on the CPU, where nothing is to be moved."""
    if device == "cpu":
        return value
    import torch
    from torch.utils._pytree import tree_map_only

    return tree_map_only(torch.Tensor, lambda tensor: tensor.to(device), value)

"""PyTorch: tensors, random state and live modules."""

from __future__ import annotations

import hashlib
import inspect
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, cast

from pytest_navigator.backends.torch import arrays as torch_arrays
from pytest_navigator.comparison.precisions import lowest
from pytest_navigator.errors import SourceError
from pytest_navigator.frameworks.base import Framework, Source
from pytest_navigator.frameworks.state import LARGEST, numpy_array, unchanged
from pytest_navigator.frameworks.surroundings import restored
from pytest_navigator.isolation.causes import error_line
from pytest_navigator.samples import caches

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

    import numpy as np
    import torch

    from pytest_navigator.core.plain import Parameters
    from pytest_navigator.core.records import TensorSpec
    from pytest_navigator.frameworks.base import Watched
    from pytest_navigator.frameworks.state import Undo

# Bytes of a parameter whose values are kept: a call may overwrite a statistic or a scale, weights it does not.
LARGEST_PARAMETER = 2**16

NO_INFERENCE_MODE = (
    "this is how it is called here: it does not run under torch.inference_mode(), and does under torch.no_grad(): "
    "TorchConfig(inference_mode=False)"
)
# What to do with a model that takes gradients in an inference.
OWN_GRADIENTS = (
    "this is how it is called here: it needs gradients and does not switch them on itself; put what takes them into "
    "`with torch.enable_grad():` in its forward, and say TorchConfig(inference_mode=False)"
)


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
        return torch_arrays.to_numpy(array)

    def from_numpy(self, array: np.ndarray, device: str = "cpu") -> torch.Tensor:
        """Copy an array to a tensor on `device`; shape and type stay, the memory is never shared."""
        return torch_arrays.from_numpy(array, device)

    def fits(self, spec: TensorSpec) -> Callable[[Any], bool] | None:
        """Return what tells whether a value is a dense tensor on the CPU; None for text and complex numbers."""
        import torch

        dtype, axes, layout = getattr(torch, spec.dtype, None), len(spec.shape), torch.strided
        if not isinstance(dtype, torch.dtype) or dtype.is_complex:
            return None

        def fitting(value: Any) -> bool:
            return (
                type(value) is torch.Tensor
                and value.dtype is dtype
                and value.ndim == axes
                and value.layout is layout
                and value.is_cpu
                and value.is_contiguous()
                and not value.requires_grad
                and not value.is_neg()
            )

        return fitting

    def shared(self, array: Any) -> np.ndarray:
        """Return a tensor as an array in the same memory."""
        found: np.ndarray = array.numpy()
        return found

    def adopted(self, array: np.ndarray) -> torch.Tensor:
        """Return an array that nobody else has as a tensor in the same memory."""
        import torch

        return torch.from_numpy(array)

    @contextmanager
    def seeded(self, seed: int) -> Iterator[None]:
        """Seed torch's generators of all devices; the old states come back on leaving."""
        import torch

        devices = range(torch.cuda.device_count()) if torch.cuda.is_available() else ()
        with torch.random.fork_rng(devices=list(devices)):
            torch.manual_seed(seed)
            yield

    def source(self, model: object, parameters: Parameters) -> TorchSource:
        """Wrap an `nn.Module` (or a ScriptModule); `parameters` are the fields of TorchConfig."""
        import torch

        if isinstance(model, type) and issubclass(model, torch.nn.Module):
            raise SourceError(f"the model is the class {model.__name__}: an instance of it is needed")
        if not isinstance(model, torch.nn.Module):
            raise SourceError(f"the model is {type(model).__name__}: a torch.nn.Module is needed")
        return TorchSource(self, model, parameters)


class TorchSource(Source):
    """A live `nn.Module`."""

    def __init__(self, framework: TorchFramework, model: torch.nn.Module, parameters: Parameters) -> None:
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
        """SHA-256 of each parameter and buffer (type, shape, bytes), and of packed weights, which the state has too."""
        others = {name: value for name, value in self.model.state_dict().items() if name not in self._tensors()}
        packed = {f"{name}{place}": part for name, value in others.items() for place, part in _leaves(value)}
        return {name: _digest(tensor) for name, tensor in (self._tensors() | packed).items()}

    def parameter_names(self) -> Sequence[str]:
        """Names of the positional parameters of `forward`, without self, *args and **kwargs."""
        schema = getattr(self.model.forward, "schema", None)
        if schema is not None:
            return [argument.name for argument in schema.arguments if argument.name != "self"]
        kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        parameters = inspect.signature(self.model.forward).parameters.values()
        return [parameter.name for parameter in parameters if parameter.kind in kinds]

    def call(self, args: Sequence[object], kwargs: dict[str, object]) -> object:
        """Run one inference on the model's device, without gradients.

        Raises:
            SourceError: it runs with gradients, or where they can be switched on, and not as it is called here.
        """
        try:
            return self._called(args, kwargs, calling(self.parameters, self.device()))
        except Exception as error:
            if hint := self._gradients_needed(args, kwargs):
                raise SourceError(f"{error_line(error)}; {hint}") from error
            raise

    def _called(self, args: Sequence[object], kwargs: dict[str, object], *modes: AbstractContextManager[Any]) -> object:
        device = self.device()
        with ExitStack() as stack:
            for mode in modes:
                stack.enter_context(mode)
            return self.model(
                *(_moved(arg, device) for arg in args), **{k: _moved(v, device) for k, v in kwargs.items()}
            )

    def _gradients_needed(self, args: Sequence[object], kwargs: dict[str, object]) -> str:
        """Find out whether it was how we call the model that it cannot bear; say what to do, "" if it was not."""
        import torch

        mild = {**self.parameters, "inference_mode": False}
        ways = {NO_INFERENCE_MODE: torch.no_grad, OWN_GRADIENTS: torch.enable_grad}
        for hint, mode in ways.items():
            given, named = _copied(list(args)), _copied(kwargs)
            with suppress(Exception), self.preserved():
                self._called(given, named, calling(mild, self.device()), mode())
                return hint
        return ""

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
        return lowest(names)

    def watched(self, args: Sequence[object], kwargs: dict[str, object]) -> Watched:
        """Run one inference and follow its operations."""
        from pytest_navigator.backends.torch.watch import watched

        value, watch = watched(lambda: self.call(args, kwargs))
        return value, watch.of

    def preserved(self) -> AbstractContextManager[None]:
        """Put back whatever the model keeps: attributes, buffers, caches, modes, devices and gradient flags."""
        return preserving(self.model)

    def _tensors(self) -> dict[str, torch.Tensor]:
        """Parameters and buffers, those that state_dict leaves out (non-persistent ones) too."""
        import torch

        state = {name: value for name, value in self.model.state_dict().items() if isinstance(value, torch.Tensor)}
        return state | dict(self.model.named_buffers(remove_duplicate=False))


@contextmanager
def preserving(model: torch.nn.Module) -> Iterator[None]:
    """Put a model back on leaving, however the block ends; the values of large parameters are not copied."""
    import torch

    modules, gradients = list(model.modules()), torch.is_grad_enabled()
    modes = {module: _training(module) for module in modules}

    def is_array(value: object) -> bool:
        return isinstance(value, torch.Tensor)

    try:
        with restored([model, *modules], _undo, is_array, _is_part):
            yield
    finally:
        torch.set_grad_enabled(gradients)
        for module, mode in modes.items():  # a ScriptModule has its own outside of Python
            if _training(module) != mode:
                module.training = mode


def _is_part(value: object) -> bool:
    import torch

    return isinstance(value, torch.nn.Module) or type(value).__module__.startswith("torch.distributions.")


def _undo(value: Any) -> Undo | None:
    """Return what puts a tensor or a generator back as it is now; None for what is neither, nor an array."""
    import torch

    if isinstance(value, torch.Generator):
        return partial(value.set_state, value.get_state())
    if not isinstance(value, torch.Tensor):
        return numpy_array(value)
    strided = value.layout is torch.strided and not value.is_quantized and not value.is_meta
    if type(value) not in (torch.Tensor, torch.nn.Parameter) or not strided:
        return unchanged
    data, gradient, flag = value.data, value.grad if value.is_leaf else None, value.requires_grad
    small = value.nbytes <= (LARGEST if type(value) is torch.Tensor else LARGEST_PARAMETER)
    values = value.detach().clone() if small else None

    def undo() -> None:
        if value.data_ptr() != data.data_ptr() or value.shape != data.shape:
            value.data = data
        if values is not None and not _equal(value, values):
            with torch.inference_mode():
                value.copy_(values)
        if value.is_leaf and value.requires_grad != flag:
            value.requires_grad_(flag)
        if value.is_leaf and value.grad is not gradient:
            value.grad = gradient

    return undo


def _equal(first: torch.Tensor, second: torch.Tensor) -> bool:
    """Whether two tensors have the same bits: NaN is NaN."""
    return _bytes(first) == _bytes(second)


def calling(parameters: Parameters, device: str) -> AbstractContextManager[Any]:
    """How a model is called: without gradients, with autocast only if `parameters` ask for it."""
    return mode(parameters, device)()


def mode(parameters: Parameters, device: str) -> Callable[[], AbstractContextManager[Any]]:
    """Return what makes the context of each of many calls."""
    import torch

    if parameters.get("autocast"):
        return lambda: _together(contexts(parameters, device))
    plain: type[AbstractContextManager[Any]] = torch.inference_mode
    return plain if parameters.get("inference_mode", True) else torch.no_grad


@contextmanager
def _together(contexts: Sequence[AbstractContextManager[Any]]) -> Iterator[None]:
    with ExitStack() as stack:
        for context in contexts:
            stack.enter_context(context)
        yield


def contexts(parameters: Parameters, device: str) -> list[AbstractContextManager[Any]]:
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


def _copied(value: Any) -> Any:
    """Return arguments with tensors of their own: inference mode may have marked what the failed call was given."""
    return _with_tensors(value, lambda tensor: tensor.detach().clone())


def _training(module: torch.nn.Module) -> bool:
    """Frozen ScriptModules have no mode any more."""
    return bool(getattr(module, "training", False))


def _training_message(model: torch.nn.Module, names: Sequence[str]) -> str:
    # The leaves are what behaves differently; a container's flag only says that they were not asked.
    name = names[-1] if names[0] == "" else names[0]
    what = f"submodule {name!r} ({type(model.get_submodule(name)).__name__})" if name else type(model).__name__
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return f"nav_model is in training mode: {what}{more}; return model.eval()"


def _leaves(value: object, place: str = "") -> Iterator[tuple[str, torch.Tensor]]:
    """Yield the tensors in nested containers, with their places."""
    import torch

    if isinstance(value, torch.Tensor):
        yield place, value
    elif isinstance(value, tuple | list | dict):
        for key, part in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _leaves(part, f"{place}.{key}")


def _digest(tensor: torch.Tensor) -> str:
    digest = hashlib.sha256(f"{tensor.dtype} {tuple(tensor.shape)}\n".encode())
    if not tensor.is_meta:  # one without data, as accelerate leaves behind; `check` refuses its model
        digest.update(_bytes(tensor))
    return digest.hexdigest()


def _bytes(tensor: torch.Tensor) -> memoryview:
    import torch

    if tensor.is_quantized:
        tensor = tensor.dequantize()
    if tensor.layout is not torch.strided:
        tensor = tensor.to_dense()
    flat = tensor.detach().resolve_conj().resolve_neg().cpu().contiguous().reshape(-1)
    return memoryview(cast("Any", flat.view(torch.uint8).numpy()))


def _moved(value: object, device: str) -> object:
    """Return `value` with its tensors on `device`: the very same object on the CPU, where nothing is to be moved."""
    return value if device == "cpu" else _with_tensors(value, lambda tensor: tensor.to(device))


def _with_tensors(value: object, change: Callable[[torch.Tensor], torch.Tensor]) -> Any:
    """Return nested containers, and the caches in them, with what `change` makes of each tensor."""
    import torch
    from torch.utils._pytree import tree_map

    def changed(leaf: object) -> object:
        if isinstance(leaf, torch.Tensor):
            return change(leaf)
        return caches.with_tensors(leaf, change) if caches.is_cache(leaf) else leaf

    return tree_map(changed, value, is_leaf=caches.is_cache)

"""PyTorch in the process: the live model, eager and compiled, and what all runners of torch have in common."""

from __future__ import annotations

import copy
import gc
import os
import sys
import time
import warnings
from abc import abstractmethod
from contextlib import ExitStack, contextmanager
from functools import partial
from types import FunctionType
from typing import TYPE_CHECKING, Any, ClassVar, cast

from pytest_navigator.backends.torch.graph_breaks import breaks_of, breaks_so_far
from pytest_navigator.backends.torch.source import TorchFramework, calling, contexts, mode
from pytest_navigator.core.execution import Compilation, GraphBreaks
from pytest_navigator.errors import EAGER, StepFailed
from pytest_navigator.runners.base import Runner
from pytest_navigator.runners.outputs import by_name, copying
from pytest_navigator.samples.caches import in_tree
from pytest_navigator.samples.structure import call_builders

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    import numpy as np
    import torch

    from pytest_navigator.backends.torch.source import TorchSource
    from pytest_navigator.core.plain import JSON, Parameters
    from pytest_navigator.core.script_parts import RunnerCode, Subject
    from pytest_navigator.runners.base import Direct

    Arguments = tuple[Sequence[object], dict[str, object]]


INDUCTOR_FOLDER = "TORCHINDUCTOR_CACHE_DIR"  # Where Inductor keeps what it compiles; it looks each time


class TorchRunner(Runner):
    """A callable of torch on one device: subclasses say how it is loaded, called and read."""

    module: Callable[..., object]
    mode: Callable[[], AbstractContextManager[Any]]
    """How it is called; like `module`, from `activate` on."""

    @abstractmethod
    def load(self) -> Callable[..., object]:
        """Return what is called, on `self.device`."""

    def arguments(self, tensors: dict[str, torch.Tensor]) -> Arguments:
        """Return the positional and keyword arguments of one call: the structures of the source."""
        return self._args(tensors), self._kwargs(tensors)

    def outputs(self, value: object) -> dict[str, object]:
        """Return the tensors of a return value by output name."""
        return by_name(self.signature, value)

    def activate(self) -> None:
        """Load the module onto the device."""
        self._bound = ExitStack()
        self._args, self._kwargs = call_builders(self.signature.input_tree)
        self.mode = mode(self.parameters, self.device)
        self.module = self.load()

    def rest(self) -> None:
        """Leave the modes that `bind` entered."""
        self._bound.close()

    def deactivate(self) -> None:
        """Leave the modes that `bind` entered and free the module."""
        self.rest()
        del self.module
        if self.device == "cuda":
            import torch

            # What torch keeps of the GPU for itself is lost to the library that runs next.
            gc.collect()
            torch.cuda.empty_cache()

    def infer(self, feed: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Run one inference on arrays."""
        to_numpy = TorchFramework().to_numpy
        return {name: to_numpy(leaf) for name, leaf in self.run(self.tensors(feed)).items()}

    def run(self, tensors: dict[str, torch.Tensor]) -> dict[str, object]:
        """Run one inference on tensors on its device; the module may keep and change them."""
        args, kwargs = self.arguments(tensors)
        with self.mode():
            value = self.module(*args, **kwargs)
        return self.outputs(value)

    def direct(self, arrays: str) -> Direct | None:
        """Return the inference on copies of tensors, which gives copies: the module may keep what it gets and gives."""
        if arrays != "torch" or self.device != "cpu":
            return None
        copied = _copying()

        def run(tensors: dict[str, torch.Tensor]) -> dict[str, object]:
            outputs = self.run({name: tensor.clone() for name, tensor in tensors.items()})
            return {name: copied(leaf) for name, leaf in outputs.items()}

        return run

    def structured(self, feed: Mapping[str, np.ndarray]) -> object:
        """Run one inference; returns what the module returned, with numpy arrays in it."""
        import torch
        from torch.utils._pytree import tree_map_only

        args, kwargs = self.arguments(self.tensors(feed))
        with calling(self.parameters, self.device):
            return tree_map_only(torch.Tensor, TorchFramework().to_numpy, self.module(*args, **kwargs))

    def watched(self, feed: Mapping[str, np.ndarray]) -> object:
        """Run one inference and follow its operations."""
        import numpy as np
        import torch
        from torch.utils._pytree import tree_map_only

        from pytest_navigator.backends.torch.watch import watched

        args, kwargs = self.arguments(self.tensors(feed))
        with calling(self.parameters, self.device):
            value, watch = watched(partial(self.module, *args, **kwargs))
        return tree_map_only(torch.Tensor, lambda tensor: np.array(watch.of(tensor).text), value)

    def bind(self, feed: Mapping[str, np.ndarray]) -> Callable[[], object]:
        """Return the call of the module on tensors on its device; the modes hold until `deactivate`."""
        tensors = self.tensors(feed)  # before the modes, as `run` does: what is compiled for those is found again
        for context in contexts(self.parameters, self.device):
            self._bound.enter_context(context)
        args, kwargs = self.arguments(tensors)
        # A cache grows with every call: each gets another one of the same tensors.
        growing = in_tree(self.signature.input_tree)
        call = partial(self._called_anew, tensors) if growing else partial(self.module, *args, **kwargs)
        return call if self.device == "cpu" else _synchronized(call)

    def _called_anew(self, tensors: dict[str, torch.Tensor]) -> object:
        args, kwargs = self.arguments(tensors)
        return self.module(*args, **kwargs)

    def copies(self, feed: Mapping[str, np.ndarray], returned: object) -> Callable[[], object]:
        """Return the copies to the GPU and back; what is read waits for what was written."""
        return copying(partial(self.tensors, feed), self.outputs(returned), TorchFramework().to_numpy)

    def settings(self) -> dict[str, JSON]:
        """Threads, precision of float32 products and the modes of the call."""
        import torch

        found: dict[str, JSON] = {
            "threads": torch.get_num_threads(),
            "interop_threads": torch.get_num_interop_threads(),
            "float32_matmul_precision": torch.get_float32_matmul_precision(),
            "autocast": bool(self.parameters.get("autocast")),
            "inference_mode": bool(self.parameters.get("inference_mode", True)),
        }
        if self.device == "cuda":
            found |= {"device": torch.cuda.get_device_name(), "cudnn_tf32": torch.backends.cudnn.allow_tf32}
        return found

    def tensors(self, feed: Mapping[str, np.ndarray]) -> dict[str, torch.Tensor]:
        """Return arrays as tensors on this runner's device."""
        framework = TorchFramework()
        return {spec.name: framework.from_numpy(feed[spec.name], self.device) for spec in self.signature.inputs}


class LiveTorchRunner(TorchRunner):
    """The user's module: itself where it is, a copy of it on any other device."""

    def load(self) -> Callable[..., object]:
        """Return the module on this runner's device."""
        source = cast("TorchSource", self.artifact)
        if source.device().partition(":")[0] == self.device:
            return cast("Callable[..., object]", source.model)
        return cast("Callable[..., object]", moved_copy(source.model, self.device))

    @classmethod
    def script(cls, subject: Subject) -> RunnerCode:
        """Return the call of the live model."""
        from pytest_navigator.backends.torch import running_code as text

        return text.runner_code(subject, text.moved(subject, cls.device), cls.device)


class TorchCompileRunner(LiveTorchRunner):
    """`torch.compile`, by Inductor unless TorchConfig.custom_args say otherwise; compiled by the first inference."""

    diagnosis: ClassVar[str] = "pytest_navigator.backends.torch.diagnosis:CompileDiagnosis"
    keeps: ClassVar[bool] = True
    _folder: Path | None = None

    def load(self) -> Callable[..., object]:
        """Return the compiled module."""
        import torch

        self._eager, self._proven = super().load(), False
        self._compilation, self._anew = Compilation(), False
        self._breaks = GraphBreaks()
        return cast("Callable[..., object]", torch.compile(own_frame(self._eager), **compile_options(self.parameters)))

    def deactivate(self) -> None:
        """Free both modules."""
        del self._eager
        super().deactivate()

    @classmethod
    def script(cls, subject: Subject) -> RunnerCode:
        """Return the call of the compiled model."""
        from pytest_navigator.backends.torch import running_code as text
        from pytest_navigator.reproduce.code import keywords

        compiled = f"model = torch.compile(model{keywords(compile_options(subject.variant.parameters))})"
        load = f"{text.moved(subject, cls.device)}{compiled}"
        return text.runner_code(subject, load, cls.device, mark_dynamic=True)

    def arguments(self, tensors: dict[str, torch.Tensor]) -> Arguments:
        """Mark the dynamic axes first: else every new batch size, or every size as such, would be compiled anew."""
        import torch

        for spec in self.signature.inputs:
            for axis in spec.axes:
                torch._dynamo.maybe_mark_dynamic(tensors[spec.name], axis)
        return super().arguments(tensors)

    def run(self, tensors: dict[str, torch.Tensor]) -> dict[str, object]:
        """Run one inference; the first one compiles.

        Raises:
            StepFailed: nothing was compiled, the model ran eagerly.
        """
        with self._proving(tensors):
            return super().run(tensors)

    def bind(self, feed: Mapping[str, np.ndarray]) -> Callable[[], object]:
        """Return the call of the compiled module, which has been compiled for these arrays.

        Raises:
            StepFailed: nothing was compiled, the model ran eagerly.
        """
        call = super().bind(feed)
        with self._proving(self.tensors(feed)):
            call()
        return call

    @contextmanager
    def _proving(self, tensors: dict[str, torch.Tensor]) -> Iterator[None]:
        """See that the first call compiles; the compiler's deprecations are no concern of the user's warning filters.

        Where it compiled nothing, it may have run what an earlier runner compiled: of a model with graph breaks, the
        parts between them are kept with the code of its class.
        """
        before, cut = _graphs_compiled(), breaks_so_far()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            with self._counted():
                yield
            if not self._proven and _graphs_compiled() == before and not self._has_graphs(tensors):
                raise StepFailed(_eager_message(), kind=EAGER)
            if self.recording and not self._proven and cut < breaks_so_far():
                # Of what an earlier runner has compiled of the same class nothing was said now: all of it once more.
                self._breaks = breaks_of(partial(self._trace, tensors, lambda graph, example: graph.forward))
        self._proven = True

    @contextmanager
    def _counted(self) -> Iterator[None]:
        """Count what a call compiles; one that compiles nothing takes no time of a compiler."""
        graphs, cached, begin = _graphs_compiled(), _taken_from_the_cache(), time.perf_counter()
        with _compiling_in(self._folder):
            yield
        new = _graphs_compiled() - graphs
        if new:
            found = Compilation(time.perf_counter() - begin, new, _taken_from_the_cache() - cached)
            self._compilation += found
            self._anew = self._anew or found.cached < new

    def compilation(self) -> Compilation:
        """Return what was compiled since the last time that this was asked."""
        found, self._compilation = self._compilation, Compilation()
        return found

    def made_of(self) -> tuple[str, Sequence[type]]:
        """Return the modules of the model as torch writes them, and their classes."""
        model = cast("TorchSource", self.artifact).model
        return repr(model), list(dict.fromkeys(type(module) for module in model.modules()))

    def compile_in(self, folder: Path) -> None:
        """Have Inductor keep in a folder what it compiles, code for the processor too."""
        self._folder = folder

    def compiled_anew(self) -> bool:
        """Return whether Inductor has compiled something, since this was asked last, that it did not have."""
        anew, self._anew = self._anew, False
        return anew

    def graph_breaks(self) -> GraphBreaks:
        """Where the model goes back to Python, after its first inference."""
        return self._breaks

    def _has_graphs(self, tensors: dict[str, torch.Tensor]) -> bool:
        before = GRAPHS.run
        self._trace(tensors, GRAPHS)
        return before < GRAPHS.run

    def _trace(self, tensors: dict[str, torch.Tensor], backend: Callable[..., Any]) -> None:
        import torch

        args, kwargs = self.arguments(tensors)
        # Past the limit torch.compile runs eagerly, which would look like a model that it leaves alone.
        with calling(self.parameters, self.device), torch._dynamo.config.patch(recompile_limit=sys.maxsize):
            torch.compile(own_frame(self._eager), backend=backend)(*args, **kwargs)


class _Graphs:
    """A backend that runs graphs as they are and counts how often; there is one, so that what it compiled is found."""

    def __init__(self) -> None:
        self.run = 0

    def __call__(self, graph: torch.fx.GraphModule, example: object) -> Callable[..., object]:
        def counted(*args: object) -> object:
            self.run += 1
            return graph.forward(*args)

        return counted


GRAPHS = _Graphs()


def _graphs_compiled() -> int:
    """Return how many graphs were compiled in this process so far."""
    from torch._dynamo.utils import counters

    return int(counters["stats"]["unique_graphs"])


@contextmanager
def _compiling_in(folder: Path | None) -> Iterator[None]:
    """Let Inductor work in a folder; None: in its own."""
    usual = os.environ.get(INDUCTOR_FOLDER)
    if folder is None:
        yield
        return
    os.environ[INDUCTOR_FOLDER] = str(folder)
    try:
        yield
    finally:
        if usual is None:
            del os.environ[INDUCTOR_FOLDER]
        else:
            os.environ[INDUCTOR_FOLDER] = usual


def _taken_from_the_cache() -> int:
    """Return how many graphs Inductor has not compiled in this process, since it had them on the disk."""
    from torch._dynamo.utils import counters

    return int(counters["inductor"]["fxgraph_cache_hit"])


def _eager_message() -> str:
    import torch

    if torch._dynamo.config.disable or os.environ.get("TORCHDYNAMO_DISABLE") == "1":
        why = "torch.compile is switched off; unset TORCHDYNAMO_DISABLE"
    else:
        why = "its forward is under @torch.compiler.disable, or torch.compile leaves all of it alone, as it does nn.GRU"
    return f"nothing was compiled, the model ran eagerly: {why}"


def compile_options(parameters: Parameters) -> dict[str, Any]:
    """Return the arguments of `torch.compile`."""
    return {"backend": "inductor", **parameters.get("custom_args", {})}


def moved_copy(model: torch.nn.Module, device: str) -> torch.nn.Module:
    """Return a copy of a module on another device; the user's own stays where it is.

    Raises:
        StepFailed: the module cannot be copied, or does not fit.
    """
    try:
        return copy.deepcopy(model).to(device)
    except Exception as error:
        raise StepFailed(f"a copy of nav_model on {device!r} failed: {error}", kind=type(error).__name__) from error


def _copying() -> Callable[[Any], object]:
    """Return what makes a dense tensor of its own of an output, outside of inference mode."""
    import torch

    kind, layout, order, framework = torch.Tensor, torch.strided, torch.contiguous_format, TorchFramework()

    def copied(leaf: Any) -> object:
        if type(leaf) is kind and leaf.layout is layout and not leaf.requires_grad and not leaf.is_complex():
            return leaf.clone(memory_format=order)
        return framework.from_numpy(framework.to_numpy(leaf))

    return copied


def _synchronized(call: Callable[[], object]) -> Callable[[], object]:
    import torch

    synchronize = torch.cuda.synchronize

    def run() -> object:
        value = call()
        synchronize()
        return value

    return run


def own_frame(module: Callable[..., object]) -> Callable[..., object]:
    """Return a function that calls `module`, with a code object of its own.

    Dynamo keeps what it compiled, and counts recompilations, per code object. With the one of the model's class, or one
    that all runners share, the ninth model of a class would silently run eagerly and the user's own torch.compile would
    meet our entries; these go with the function.
    """

    def forward(*args: Any, **kwargs: Any) -> object:
        return module(*args, **kwargs)

    return FunctionType(forward.__code__.replace(), forward.__globals__, closure=forward.__closure__)

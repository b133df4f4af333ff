"""`nav.Module`, `@nav.module`, `nav.wrap`, `nav.inspect`: which parts of a pipeline are made into formats, in place."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, overload

from pytest_navigator.configuration.optimize_config import check_config
from pytest_navigator.errors import ConfigError, unknown_text
from pytest_navigator.pipelines import registry
from pytest_navigator.pipelines.inspecting import Inspection, inspected, listed
from pytest_navigator.pipelines.parts import at, parts_of
from pytest_navigator.pipelines.refusals import not_wrappable
from pytest_navigator.pipelines.registry import ModuleOptions, Wrapped
from pytest_navigator.pipelines.samples import pipeline_samples

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import torch

    from pytest_navigator.api.timer import Timer

PRECISIONS = ("fp32", "fp16", "bf16", "fp8", "int8")
NO_MODEL_PATH = "model_path={!r}: formats are made from the module; a file of your own is checked by nav.onnx.optimize"
NO_FORWARD_FUNC = "forward_func={!r}: only forward is replaced; wrap the part that this method calls, such as {}"

M = TypeVar("M", bound="torch.nn.Module")
Made = TypeVar("Made", bound=Callable[..., Any])


def Module(
    module: M,
    name: str | None = None,
    input_mapping: Callable[[Any], Any] | None = None,
    output_mapping: Callable[[Any], Any] | None = None,
    timer: Timer | None = None,
    forward_func: str | None = None,
    batching: bool | None = None,
    precision: str = "fp32",
    model_path: str | Path | None = None,
    *,
    optimize_config: Any = None,
) -> M:
    """Wrap a part of a pipeline: `nav.optimize` and `nav.load_optimized` find it; returns the module itself.

    The module stays the object that it is, with its class, attributes, hooks, state, device and type: only while it is
    recorded or a format runs in its place has the instance another `forward`.

    Args:
        module: a `torch.nn.Module`.
        name: in summaries, ids and files; None: that of its class, with a number if another module has it.
        input_mapping: makes what is recorded, and given to a format, of one call: it is given `(*args, kwargs)` with
            each argument in its one form, and returns the same, or a mapping.
        output_mapping: makes the module's own output of a format's, which has the module's structure and classes.
        timer: a `nav.Timer` that is to time this module.
        forward_func: "forward", or None; no other method is replaced.
        batching: whether inputs have a batch axis; None: found from the calls.
        precision: that it computes in ("fp32", "fp16", "bf16", "fp8", "int8").
        model_path: not supported.
        optimize_config: for this module, in place of that of `nav.optimize`.

    Raises:
        ConfigError: it is no module that can be wrapped, or another one has the name; an argument is wrong.
    """
    if problem := not_wrappable(module):
        raise ConfigError(problem)
    _check(forward_func, precision, model_path)
    _check_kinds(name, input_mapping, output_mapping, timer, batching)
    check_config(optimize_config)
    options = ModuleOptions(input_mapping, output_mapping, batching, precision, optimize_config)
    known = registry.wrapping(module)
    if known is not None and name not in (None, known.name):
        raise ConfigError(f"the module is already wrapped, as {known.name!r}: it cannot be {name!r} as well")
    called = known.name if known else name or registry.unused(type(module).__name__)
    registry.register(Wrapped(called, module, options))
    if timer is not None:
        timer.register_module(called)
    return module


@overload
def module(of: Made) -> Made: ...
@overload
def module(of: None = None, **options: Any) -> Callable[[Made], Made]: ...
def module(of: Any = None, **options: Any) -> Any:
    """Wrap what a class or a function makes: `@nav.module`, or `@nav.module(name="unet", batching=False)`.

    A class stays the class that it is: each instance of it (of a class derived from it, none) is wrapped when it is
    made. What a function returns is wrapped.

    Args:
        of: the class or the function.
        **options: of `nav.Module`. With a `name`, one instance at a time can be there.

    Raises:
        ConfigError: it is neither; as `nav.Module`, when the class or the function is called.
    """
    if of is None:
        return functools.partial(module, **options)
    if isinstance(of, type):
        return _wrapping_class(of, options)
    if not callable(of):
        raise ConfigError(f"@nav.module over {of!r}: a class, or a function that returns a module, is needed")

    @functools.wraps(of)
    def made(*args: Any, **kwargs: Any) -> Any:
        return Module(of(*args, **kwargs), **options)

    return made


def wrap(pipeline: object, modules: Sequence[str], prefix: str = "", **options: Any) -> dict[str, torch.nn.Module]:
    """Wrap parts of a pipeline by where they are in it: `nav.wrap(pipeline, ["unet", "vae.decoder"])`.

    Nothing of the pipeline's code changes. Each part is called what its place is.

    Args:
        pipeline: an object, or a function that uses them.
        modules: attributes, with dots for those below; numbers and keys are attributes of lists and dicts.
        prefix: of the names, where modules of two pipelines have the same places.
        **options: of `nav.Module`, for all of them.

    Returns:
        Name -> the module.

    Raises:
        ConfigError: there is no such part, or it is no module that can be wrapped, or another one has its name; nothing
            is wrapped then.
    """
    if isinstance(modules, str):
        modules = [modules]
    if not modules:
        raise ConfigError(f"no module is named; the pipeline has {', '.join(parts_of(pipeline)) or 'none'}")
    found = {f"{prefix}{name}": _part(pipeline, name) for name in modules}
    for name, part in found.items():
        registry.check_name(name, part)
    return {name: Module(part, name, **options) for name, part in found.items()}


def inspect(pipeline: object, dataloader: object = None, func: Callable[..., Any] | None = None) -> Inspection:
    """List the modules of a pipeline: how often each is called, its share of the time, and what it is called with.

    Modules are found in the attributes of an object, the variables of a function, lists, dicts, and other modules; the
    pipeline is as it was when this returns.

    Args:
        pipeline: an object, or a function that uses them.
        dataloader: pairs of a batch size and a sample, on which the pipeline is run; None: it is not run, and there are
            no calls and times.
        func: what runs the pipeline on a sample; None: itself.

    Returns:
        The modules as data; `print` shows those that the pipeline itself calls.

    Raises:
        ConfigError: there is no module in it, or it is to be run and cannot be called.
        SourceError: the loader gives no pairs; the pipeline raises on the first sample.
    """
    parts = _parts(pipeline)
    if dataloader is None:
        return listed(parts)
    run = pipeline if func is None else func
    if not callable(run):
        raise ConfigError(f"a {type(pipeline).__name__} cannot be called: say func=, which runs it on a sample")
    return inspected(parts, run, pipeline_samples(dataloader))


def _parts(pipeline: object) -> dict[str, torch.nn.Module]:
    found = {name: part for name, part in parts_of(pipeline).items() if not not_wrappable(part)}
    if not found:
        raise ConfigError(f"there is no torch.nn.Module in {pipeline!r}: not in its attributes, nor those of these")
    return found


def _part(pipeline: object, name: str) -> Any:
    if not isinstance(name, str):
        raise ConfigError(f"nav.wrap(..., [{name!r}]): the place of a module is needed, as nav.inspect lists them")
    part = at(pipeline, name)
    if part is None:
        _parts(pipeline)
        raise ConfigError(unknown_text("module", name, parts_of(pipeline)))
    if problem := not_wrappable(part):
        raise ConfigError(f"{name}: {problem}")
    return part


def _check(forward_func: str | None, precision: str, model_path: object) -> None:
    if forward_func not in (None, "forward"):
        raise ConfigError(NO_FORWARD_FUNC.format(forward_func, 'nav.wrap(pipeline, ["vae.decoder"])'))
    if precision not in PRECISIONS:
        raise ConfigError(unknown_text("precision", precision, PRECISIONS))
    if model_path is not None:
        raise ConfigError(NO_MODEL_PATH.format(str(model_path)))


def _check_kinds(name: object, input_mapping: object, output_mapping: object, timer: object, batching: object) -> None:
    """Refuse arguments of another kind before anything is known of the module."""
    from pytest_navigator.api.timer import Timer

    fitting = (
        ("name", name, name is None or (isinstance(name, str) and bool(name.strip())), "a text, or None"),
        ("input_mapping", input_mapping, input_mapping is None or callable(input_mapping), "a function, or None"),
        ("output_mapping", output_mapping, output_mapping is None or callable(output_mapping), "a function, or None"),
        ("timer", timer, timer is None or isinstance(timer, Timer), "a nav.Timer, or None"),
        ("batching", batching, batching is None or isinstance(batching, bool), "True, False or None"),
    )
    for argument, value, fits, needed in fitting:
        if not fits:
            raise ConfigError(f"nav.Module({argument}={value!r}): {needed} is needed")


def _wrapping_class(cls: Any, options: dict[str, Any]) -> Any:
    init = cls.__init__

    @functools.wraps(init)
    def wrapping(self: Any, *args: Any, **kwargs: Any) -> None:
        init(self, *args, **kwargs)
        if type(self) is cls:
            Module(self, **options)

    cls.__init__ = wrapping
    return cls

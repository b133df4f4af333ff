"""The configuration of TensorRT engines, with the checks of its values."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from pytest_navigator.configuration.format_config import FormatConfig, check_device, invalid
from pytest_navigator.core.described import foreign
from pytest_navigator.core.enums import TensorRTPrecision, TensorRTPrecisionMode
from pytest_navigator.errors import ConfigError

PRECISIONS = ("fp32", "fp16", "bf16", "int8", "fp8")  # What networks can be converted to; nvfp4 needs NVIDIA's ModelOpt

MODES = tuple(str(mode) for mode in TensorRTPrecisionMode)
COMPATIBILITY = ("none", "ampere_plus", "same_compute_capability")


class ShapeTuple(NamedTuple):
    """The smallest, the usual and the largest shape of an input."""

    min: tuple[int, ...]
    opt: tuple[int, ...]
    max: tuple[int, ...]


class TensorRTProfile(dict[str, Any]):
    """The shapes that an engine takes, and is tuned for, by input; inputs that it does not name keep the loader's.

    `TensorRTProfile().add("x", min=(1, 3, 224, 224), opt=(8, 3, 224, 224), max=(16, 3, 224, 224))`; instead of three
    shapes a mapping says the three sizes of some axes: `TensorRTProfile({"x": {0: (1, 8, 16)}})`.
    """

    def add(self, name: str, min: Sequence[int], opt: Sequence[int], max: Sequence[int]) -> TensorRTProfile:
        """Set the shapes of an input; returns the profile itself."""
        self[name] = ShapeTuple(tuple(min), tuple(opt), tuple(max))
        return self

    @classmethod
    def from_dict(cls, shapes: Mapping[str, Mapping[str, Sequence[int]]]) -> TensorRTProfile:
        """Return the profile of `{"x": {"min": (1, 5), "opt": (8, 5), "max": (16, 5)}}`."""
        profile = cls()
        for name, own in shapes.items():
            profile.add(name, **own)
        return profile


@dataclass(frozen=True)
class CustomConfigForTensorRT(FormatConfig):
    """What the configurations of everything that TensorRT builds share.

    Attributes:
        trt_profiles: one `TensorRTProfile` or several; None: the one that the loader shows. Axes that a profile does
            not name, and inputs, are the loader's.
        trt_profile: Model Navigator's older name of one profile.
        precision: "fp32", "fp16", "bf16", "int8", "fp8": one or several, an artifact for each.
        precision_mode: what the precision means for a network whose types TensorRT obeys (they are written into the
            ONNX file): "single": everything in that precision, TF32 off. "hierarchy": what does not stand it stays
            wider (for fp16 and bf16 the operators of ONNX Runtime's block list in float32, for int8 and fp8 what has
            no Q/DQ in float16), TF32 on. "mixed": an artifact for each of both.
        max_workspace_size: bytes that the engine may use beside its weights; None: all of the device's memory.
        conversion_fallback: when the build fails for the largest batch size that was asked for, try half of it, a
            quarter and at last the loader's largest.

    Raises:
        ConfigError: a value is not possible.
    """

    least_workspace: ClassVar[int] = 1

    trt_profiles: Sequence[Mapping[str, Any]] | Mapping[str, Any] | None = None
    trt_profile: Mapping[str, Any] | None = None
    precision: str | Sequence[str] = ("fp32", "fp16")
    precision_mode: str = "hierarchy"
    max_workspace_size: int | None = None
    conversion_fallback: bool = False

    def __post_init__(self) -> None:
        check_device(self)
        if self.device is not None and ":" in self.device:
            raise ConfigError(
                f"{type(self).__name__}.device={self.device!r}: engines are built and run on the first device; "
                "CUDA_VISIBLE_DEVICES chooses which that is"
            )
        object.__setattr__(self, "precision", _precisions(self))
        if self.precision_mode not in MODES:
            raise invalid(self, "precision_mode", MODES)
        object.__setattr__(self, "precision_mode", str(self.precision_mode))
        if self.trt_profile is not None and self.trt_profiles is not None:
            raise ConfigError(f"{type(self).__name__}: trt_profile is the older name of trt_profiles: give one of them")
        given = self.trt_profile if self.trt_profiles is None else self.trt_profiles
        profiles = (given,) if isinstance(given, Mapping) else tuple(given or ())
        object.__setattr__(self, "trt_profiles", tuple(plain_profile(self, profile) for profile in profiles))
        object.__setattr__(self, "trt_profile", None)
        check_whole(self, "max_workspace_size", self.least_workspace)

    @property
    def modes(self) -> tuple[str, ...]:
        """The precision modes that are asked for."""
        return ("hierarchy", "single") if self.precision_mode == "mixed" else (self.precision_mode,)


@dataclass(frozen=True)
class _EngineConfig(CustomConfigForTensorRT):
    """What TensorRT and TensorRT-RTX share."""

    optimization_level: int | None = None
    onnx_parser_flags: Sequence[str] | None = None
    model_path: str | Path | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_whole(self, "optimization_level", 0, 5)
        if self.onnx_parser_flags is not None:
            flags = (self.onnx_parser_flags,) if isinstance(self.onnx_parser_flags, str) else self.onnx_parser_flags
            if not all(isinstance(flag, str) for flag in flags):
                raise ConfigError(
                    f"{type(self).__name__}.onnx_parser_flags={flags!r}: write names: 'native_instancenorm'"
                )
            object.__setattr__(self, "onnx_parser_flags", tuple(flags))
        if self.model_path is not None and not Path(self.model_path).is_file():
            raise ConfigError(f"{type(self).__name__}.model_path={str(self.model_path)!r} is no file")
        if self.model_path is not None and len(self.precision) > 1:
            raise ConfigError(f"{type(self).__name__}.model_path is one engine: name its precision, precision='fp16'")
        _check_arguments(self)


@dataclass(frozen=True)
class TensorRTConfig(_EngineConfig):
    """TensorRT engines; `custom_args` go to `polygraphy convert`: `{"max_aux_streams": 2}` is --max-aux-streams 2.

    Attributes:
        optimization_level: how long the builder searches, 0 to 5; None: TensorRT's default.
        compatibility_level: "ampere_plus" or "same_compute_capability": the engine runs on other GPUs too; None: on the
            GPU that it was built for.
        onnx_parser_flags: names of TensorRT's OnnxParserFlag ("native_instancenorm").
        timing_cache_dir: folder in which timings of kernels are kept from build to build.
        sparse_weights: let TensorRT use 2:4 sparsity that it finds in the weights.
        model_path: a ready engine, which is taken instead of a build.
    """

    compatibility_level: str | None = None
    timing_cache_dir: str | Path | None = None
    sparse_weights: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.compatibility_level is not None and self.compatibility_level not in COMPATIBILITY:
            raise invalid(self, "compatibility_level", (None, *COMPATIBILITY))


@dataclass(frozen=True)
class TensorRTRTXConfig(_EngineConfig):
    """Engines of TensorRT-RTX, which are built without a GPU; `custom_args` go to `polygraphy convert`.

    Attributes:
        compute_capabilities: GPUs that the engine is for ("8.6" or (8, 6), several); None: all that this version of
            TensorRT-RTX knows.
        optimization_level, onnx_parser_flags, model_path: as in `TensorRTConfig`.
    """

    compute_capabilities: Sequence[str | tuple[int, int]] | str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.compute_capabilities is None:
            return
        given = self.compute_capabilities
        several = (given,) if isinstance(given, str) else tuple(given)
        texts = tuple(".".join(map(str, one)) if isinstance(one, (tuple, list)) else str(one) for one in several)
        if not texts or not all(re.fullmatch(r"\d+\.\d", text) for text in texts):
            raise ConfigError(f"{type(self).__name__}.compute_capabilities={given!r}: write '8.6' or ('8.6', '8.9')")
        object.__setattr__(self, "compute_capabilities", texts)


def plain_profile(config: FormatConfig, profile: object) -> dict[str, dict[str, Any]]:
    """Return a profile as plain data: by input `{"shapes": [min, opt, max]}` or `{"axes": {"0": [min, opt, max]}}`.

    Raises:
        ConfigError: it is none, or sizes are not min <= opt <= max.
    """
    where = f"{type(config).__name__}.trt_profiles"
    if not isinstance(profile, Mapping):
        raise ConfigError(f"{where}: {profile!r} is no profile; write nav.TensorRTProfile().add(name, min, opt, max)")
    return {str(name): _shapes(f"{where}[{name!r}]", given) for name, given in profile.items()}


def _shapes(where: str, given: Any) -> dict[str, Any]:
    if isinstance(given, Mapping) and set(given) == {"min", "opt", "max"}:
        given = [given["min"], given["opt"], given["max"]]
    elif isinstance(given, Mapping) and len(given) == 1:
        given = given.get("shapes", given.get("axes", given))  # plain data again, as a package's config.yaml has it
    try:
        if isinstance(given, Mapping):
            axes = {str(int(axis)): [int(size) for size in sizes] for axis, sizes in given.items()}
            _check_order(where, list(axes.values()))
            return {"axes": axes}
        shapes = [[int(size) for size in shape] for shape in given]
    except (TypeError, ValueError):
        shapes = []
    if len(shapes) != 3 or len({len(shape) for shape in shapes}) > 1:
        raise ConfigError(
            f"{where}={given!r}: three shapes of one length (min, opt, max), or {{axis: (min, opt, max)}}"
        )
    _check_order(where, [list(sizes) for sizes in zip(*shapes, strict=True)])
    return {"shapes": shapes}


def _check_order(where: str, axes: Sequence[Sequence[int]]) -> None:
    for sizes in axes:
        if len(sizes) != 3 or sizes[0] < 0 or list(sizes) != sorted(sizes):
            raise ConfigError(f"{where}: sizes {tuple(sizes)} of an axis are not min <= opt <= max")


def _precisions(config: CustomConfigForTensorRT) -> tuple[str, ...]:
    given = (config.precision,) if isinstance(config.precision, str) else tuple(config.precision)
    names = tuple(str(one) for one in given)
    if TensorRTPrecision.NVFP4 in names:
        raise ConfigError(f"{type(config).__name__}.precision: nvfp4 needs a model that was quantized by ModelOpt")
    if not names or not set(names) <= set(PRECISIONS) or len(set(names)) < len(names):
        raise invalid(config, "precision", PRECISIONS)
    return names


def check_whole(config: FormatConfig, field: str, least: int, most: int | None = None) -> None:
    """Raise ConfigError for a value that is neither None nor a whole number of this range."""
    value = getattr(config, field)
    if value is None or (type(value) is int and least <= value <= (value if most is None else most)):
        return
    what = f"a whole number from {least} to {most}" if most is not None else f"a whole number of {least} or more"
    raise ConfigError(f"{type(config).__name__}.{field}={value!r} is not {what}")


def _check_arguments(config: FormatConfig) -> None:
    for name, value in config.custom_args.items():
        if any(foreign(value)):
            raise ConfigError(
                f"{type(config).__name__}.custom_args[{name!r}]={value!r}: these are options of `polygraphy convert`: "
                "numbers, texts, booleans and lists of them are possible"
            )

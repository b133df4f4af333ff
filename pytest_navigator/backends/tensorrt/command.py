"""What Polygraphy is told: the command line that builds an engine (pure), which its script repeats."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_navigator.backends.tensorrt.profiles import Profile
    from pytest_navigator.core.plain import Parameters

# Module of TensorRT -> what Polygraphy finds in its environment: it installs nothing by itself.
ENVIRONMENT = {
    "tensorrt": {"POLYGRAPHY_AUTOINSTALL_DEPS": "0"},
    "tensorrt_rtx": {"POLYGRAPHY_AUTOINSTALL_DEPS": "0", "POLYGRAPHY_USE_TENSORRT_RTX": "1"},
}

MAIN = "import sys; from polygraphy.tools import main; sys.exit(main())"  # What the command `polygraphy` is

TIMING_CACHE = "timing.cache"
NO_TF32 = "no_tf32.py"  # Script beside an engine of TensorRT-RTX, for which Polygraphy has no flag: TF32 is on

NO_TF32_TEXT = '''"""Given to `polygraphy convert` by --trt-config-postprocess-script."""


def postprocess_config(builder, network, config):
    """Let float32 be float32."""
    import tensorrt_rtx

    config.clear_flag(tensorrt_rtx.BuilderFlag.TF32)
'''


def convert(network: str, plan: str, parameters: Parameters, profiles: Sequence[Profile]) -> list[str]:
    """Return the arguments of `polygraphy`; paths are below the package's root."""
    return [
        *("convert", network, "--convert-to", "trt", "--output", plan, "--strongly-typed"),
        *(part for profile in profiles for part in _shapes(profile)),
        *_options(parameters, str(Path(plan).parent)),
        *(part for name, value in parameters["custom_args"].items() for part in _flag(name, value)),
    ]


def version_compatible(parameters: Parameters) -> bool:
    """Whether later versions of TensorRT run the engine too; it brings its own runtime, which is code."""
    custom = {_option(name): value for name, value in parameters.get("custom_args", {}).items()}
    return custom.get("--version-compatible") is True


def _shapes(profile: Profile) -> Iterator[str]:
    for word in ("min", "opt", "max") if profile else ():
        yield f"--trt-{word}-shapes"
        for name, shapes in profile.items():
            yield f"{name}:[{','.join(map(str, shapes[word]))}]"


def _options(parameters: Parameters, folder: str) -> Iterator[str]:
    rtx, hierarchy = parameters["backend"] == "tensorrt_rtx", parameters["precision_mode"] == "hierarchy"
    if hierarchy and not rtx:
        yield "--tf32"
    if not hierarchy and rtx:
        yield from ("--trt-config-postprocess-script", f"{folder}/{NO_TF32}")
    if (size := parameters["max_workspace_size"]) is not None:
        yield from ("--pool-limit", f"workspace:{size}")
    if (level := parameters["optimization_level"]) is not None:
        yield from ("--builder-optimization-level", str(level))
    if (level := parameters.get("compatibility_level")) not in (None, "none"):
        yield from ("--hardware-compatibility-level", level)
    if parameters.get("sparse_weights"):
        yield "--sparse-weights"
    if cache := parameters.get("timing_cache_dir"):
        path = str(Path(cache, TIMING_CACHE))
        yield from ("--load-timing-cache", path, "--save-timing-cache", path)
    if flags := parameters["onnx_parser_flags"]:
        yield from ("--onnx-flags", *flags)
    if capabilities := parameters.get("compute_capabilities"):
        yield from ("--compute-capabilities", *capabilities)


def _flag(name: str, value: Any) -> Iterator[str]:
    """Yield one option of `custom_args`; False and None leave it out, True is the flag alone."""
    if value is None or value is False:
        return
    yield _option(name)
    if value is not True:
        yield from map(str, value if isinstance(value, (list, tuple)) else [value])


def _option(name: str) -> str:
    return f"--{name.replace('_', '-').removeprefix('--')}"

"""Model Navigator's configuration of its command `convert`, as one frozen value: a file's, or that of flags."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

from pytest_navigator.configuration import file_values as values
from pytest_navigator.configuration.config import NavConfig
from pytest_navigator.configuration.launching import image, launched
from pytest_navigator.configuration.quantization_values import check_of_use, quantization, quantized
from pytest_navigator.configuration.tensorrt_config import MODES, PRECISIONS
from pytest_navigator.core.variants import Variant
from pytest_navigator.errors import ConfigError, PackageError, unknown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from pytest_navigator.configuration.format_config import Configured, FormatConfig
    from pytest_navigator.configuration.quantization_config import QuantizationConfig
    from pytest_navigator.core.plain import Parameters
    from pytest_navigator.core.records import TensorSpec

    Shapes = Mapping[str, tuple[int, ...]]

# What Model Navigator takes for that of atol and rtol that a file does not say, if it says the other.
OTHER_TOLERANCE = 1e-5

REPEAT = "pytest_navigator"  # Key of a package's config.yaml under which is what Model Navigator has no key for


@dataclass(frozen=True)
class FileConfig:
    """What a configuration file says; without a file, its defaults.

    Every value ranks below a flag and above the ini file: a flag, `--nav-config`, the ini file, the default. So what
    `nav_config` holds goes where a `nav_config` beside a `nav_model` would go; of the rest, `inputs`, `outputs`,
    `model_format`, `output_package` and `workspace_path` yield to their flags `--nav-inputs`, `--nav-outputs`,
    `--nav-model-format`, `--nav-package` and `--nav-workspace`, and what has no flag holds as it is.

    Attributes:
        path: of the file, as it is named in errors; "" without one.
        given: the keys that are said, in the file or by flags.
        flags: the keys that flags of `convert` say, which go before the file; None outside of that command.
        model_name, model_path, model_format, output_path, output_package, workspace_path: texts as they are written;
            paths are below the folder in which pytest was started. None: not said.
        verbose: keep the inputs and outputs of the comparisons that passed, too.
        random_seed: of the random data. None: not said.
        inputs, outputs: the signature. None: not said.
        target_formats, onnx_opsets: None: not said (all that can be made; the opset of `OnnxConfig`).
        atol, rtol: by output; "" for the others. None: not said (the default of the precision).
        batch_dim: the batch axis of every batched input; None: the model has none.
        unbatched: inputs without a batch axis.
        tensorrt_precisions, tensorrt_precisions_mode, tensorrt_sparse_weights, tensorrt_max_workspace_size: of the
            engines, if the file says any of them or names `trt` among its target formats.
        quantization: of those among the target formats that are quantized. None: not said.
        max_batch_size: of the random data, and of the engines.
        min_shapes, opt_shapes, max_shapes: by input, with the batch.
        value_ranges: by input, both bounds included; "" for the others.
        dtypes: by input; "" for the others.
        launch_mode: "local" or "docker", framework_docker_image: of which; see `launching`. None: not said.
        pytest_navigator: of a package's config.yaml: key, parent and parameters of the format that it was.
    """

    path: str = ""
    given: frozenset[str] = frozenset()
    flags: frozenset[str] | None = None
    model_name: str | None = None
    model_path: str | None = None
    model_format: str | None = None
    output_path: str | None = None
    output_package: str | None = None
    workspace_path: str | None = None
    verbose: bool = False
    random_seed: int | None = None
    inputs: tuple[TensorSpec, ...] | None = None
    outputs: tuple[TensorSpec, ...] | None = None
    target_formats: tuple[str, ...] | None = None
    onnx_opsets: tuple[int, ...] | None = None
    atol: Mapping[str, float] | None = None
    rtol: Mapping[str, float] | None = None
    batch_dim: int | None = 0
    unbatched: tuple[str, ...] = ()
    tensorrt_precisions: tuple[str, ...] = ("fp16", "fp32")
    tensorrt_precisions_mode: str = "hierarchy"
    tensorrt_sparse_weights: bool = False
    tensorrt_max_workspace_size: int = 4 * 2**30
    quantization: QuantizationConfig | None = None
    max_batch_size: int = 128
    min_shapes: Shapes = field(default_factory=dict)
    opt_shapes: Shapes = field(default_factory=dict)
    max_shapes: Shapes = field(default_factory=dict)
    value_ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    dtypes: Mapping[str, str] = field(default_factory=dict)
    launch_mode: str | None = None
    framework_docker_image: str | None = None
    pytest_navigator: Mapping[str, Any] = field(default_factory=dict)

    @property
    def where(self) -> str:
        """What an error starts with: the file, if there is one."""
        return f"{self.path}: " if self.path else ""

    def named(self, key: str) -> str:
        """Return how an error names a key, said or not: with its file, or as the flag of `convert` that it is there."""
        if key in (self.flags or ()) or (self.flags is not None and key not in self.given):
            return flag_of(key)
        return f"{self.where}{key}"

    def shapes(self, kind: str) -> Shapes:
        """Return `min_shapes`, `opt_shapes` or `max_shapes`, by "min", "opt" or "max"."""
        found: Shapes = getattr(self, f"{kind}_shapes")
        return found

    def nav_config(self, possible: Iterable[Configured] = ()) -> NavConfig:
        """Return what holds for the suite.

        Args:
            possible: the formats that can be made of the source; they are what `onnx_opsets` alone leaves to be made.

        Raises:
            ConfigError: the parameters of a package's config.yaml are not those of the format.
        """
        return NavConfig(
            name=self.model_name,
            formats=self._formats({form.name: form for form in possible}),
            atol=self._tolerance("atol", "rtol"),
            rtol=self._tolerance("rtol", "atol"),
            seed=self.random_seed,
            batch_dim=self.batch_dim,
            unbatched=self.unbatched,
            interpreters=self.interpreters,
        )

    @property
    def interpreters(self) -> Mapping[str, tuple[str, ...]] | None:
        """What `launch_mode` asks for.

        Raises:
            ConfigError: the image lacks, or is of no use.
        """
        return launched(self.launch_mode, self.framework_docker_image, self.named)

    def _formats(self, possible: Mapping[str, Configured]) -> tuple[FormatConfig | str, ...] | None:
        names = self.target_formats
        self._check_quantized(names or (), possible)
        if names is None:
            if not any(self.given & set(keys) and name in possible for name, keys in SAYING.items()):
                return None
            names = tuple(name for name, form in possible.items() if form.default)
        return tuple(self._format(name, possible) for name in names)

    def _format(self, name: str, possible: Mapping[str, Configured]) -> FormatConfig | str:
        """Return the configuration of one format; its name, if there is nothing to say about it or nobody makes it."""
        if self.quantization is not None and (config := self._quantized(name, possible)):
            return config
        chosen = self._repeated(possible[name]) if name in possible else {}
        if name == "onnx" and self.onnx_opsets is not None:
            chosen["opset"] = self.onnx_opsets
        if name in ENGINES and not chosen:
            chosen = {TENSORRT[key]: getattr(self, key) for key in ENGINES[name]}
        if not chosen or name not in possible:
            return name
        try:
            return possible[name].config(**chosen)
        except (ConfigError, TypeError, ValueError) as error:
            raise ConfigError(f"{self.where}{REPEAT}: parameters: {error}") from None

    def _quantized(self, name: str, possible: Mapping[str, Configured]) -> FormatConfig | None:
        assert self.quantization is not None
        try:
            return quantized(name, possible.values(), self.quantization)
        except ConfigError as error:
            raise ConfigError(f"{self.named('quantization')}: {error}") from None

    def _check_quantized(self, names: Iterable[str], possible: Mapping[str, Configured]) -> None:
        if self.quantization is None:
            return
        found = [config for name in names if (config := self._quantized(name, possible))]
        try:
            check_of_use(self.quantization, found)
        except ConfigError as error:
            raise ConfigError(f"{self.named('quantization')}: {error}") from None

    def _repeated(self, form: Configured) -> dict[str, Any]:
        """Return the fields of a format's configuration that a package's config.yaml has said."""

        from pytest_navigator.configuration.foreign_arguments import PARAMETERS, check_arguments, check_parameters

        parameters = self.pytest_navigator.get("parameters") or {}
        if not parameters or self.target_formats != (form.name,):
            return {}
        said = Variant(form.name, form.name, "", form.file, parameters)
        try:
            check_arguments(said, making=True)
            check_parameters(said)
        except PackageError as error:
            raise ConfigError(f"{self.where}{REPEAT}: {error}") from None
        known = {each.name for each in fields(form.config)} - {*PARAMETERS}
        chosen = {name: value for name, value in parameters.items() if name in known}
        return chosen | OTHERWISE.get(form.name, _as_it_is)(parameters)

    def _tolerance(self, name: str, other: str) -> Mapping[str, float] | None:
        # A package's own file says all that holds: what it leaves out is the default.
        own, given = getattr(self, name), getattr(self, other)
        if own is not None or given is None or REPEAT in self.given:
            return own  # type: ignore[no-any-return]
        return dict.fromkeys(given, OTHER_TOLERANCE)


def read(path: Path) -> FileConfig:
    """Read a configuration file.

    Raises:
        ConfigError: the file cannot be read, or a key or a value of it is not possible; says which and what is.
    """
    from pytest_navigator.configuration.yaml_file import read_mapping  # without a file, nobody needs YAML

    said: dict[str, Any] = {}
    for own, value in read_mapping(path).items():
        key = OLDER.get(own, own)
        if key not in KEYS:
            raise ConfigError(f"{path}: {unknown('key', key, KEYS)}")
        if key in said:
            older = next(old for old, new in OLDER.items() if new == key)
            raise ConfigError(f"{path}: {older} is the older name of {key}: leave it out")
        said |= {key: value} if _says(key, value) else {}
    return FileConfig(path=str(path), given=frozenset(said), **_parsed(said, lambda key: f"{path}: {key}"))


def with_flags(config: FileConfig, texts: Mapping[str, str]) -> FileConfig:
    """Return a configuration in which the flags of `convert` go before what the file says.

    Args:
        texts: key -> what was written after its flag.

    Raises:
        ConfigError: a value is not possible; says which flag, and what is.
    """
    return replace(config, given=config.given | {*texts}, flags=frozenset(texts), **_parsed(texts, flag_of))


def flag_of(key: str) -> str:
    """Return the flag of `convert` that a key of the file is."""
    return f"--{key.replace('_', '-')}"


def _parsed(said: Mapping[str, Any], where: Callable[[str], str]) -> dict[str, Any]:
    found = {key: KEYS[key](value, where(key)) for key, value in said.items()}
    return {key: value for key, value in found.items() if key in NAMES}


def _says(key: str, value: object) -> bool:
    # A key without a value says nothing, but for the batch axis that there may not be.
    return value is not None or key == "batch_dim"


def _onnx(parameters: Parameters) -> dict[str, Any]:
    # They have another form among a variant's parameters, which are plain data.
    from pytest_navigator.configuration.onnx_config import OnnxDynamoExportConfig, OnnxTraceExportConfig

    engines = {"dynamo": OnnxDynamoExportConfig, "trace": OnnxTraceExportConfig}
    engine = parameters.get("engine")
    axes = parameters.get("dynamic_axes") or {}
    return {
        "export_engine": engines[engine]() if parameters.get("engine_named") and engine in engines else None,
        "onnx_extended_conversion": engine == "script",
        "dynamic_axes": axes
        and {name: {int(axis): symbol for axis, symbol in of.items()} for name, of in axes.items()},
    }


def _quantized_onnx(parameters: Parameters) -> dict[str, Any]:
    return {"precision": parameters["kind"]}


def _as_it_is(parameters: Parameters) -> dict[str, Any]:
    return {}


# Format -> the fields of its configuration that are not its parameters.
OTHERWISE: dict[str, Callable[[Parameters], dict[str, Any]]] = {"onnx": _onnx, "onnx-quantized": _quantized_onnx}


def _only(reason: str, *accepted: object) -> Callable[[Any, str], None]:
    """Return the parser of a key that can have the values only that mean what happens anyway."""

    def parse(value: Any, where: str) -> None:
        if value not in accepted:
            hint = f" (only {accepted[0]!r}, which is what happens, is accepted)" if accepted else ""
            raise ConfigError(f"{where}: {value!r}: {reason}{hint}; leave it out")

    return parse


def _formats(value: Any, where: str) -> tuple[str, ...] | None:
    names = values.words(value, where)
    return None if set(names) == set(TARGET_FORMATS) else names


def _precisions(value: Any, where: str) -> tuple[str, ...]:
    return tuple(values.choice(*PRECISIONS)(name, where) for name in values.words(value, where))


def _model_format(value: Any, where: str) -> str:
    if value in ("tf-trt", "torch-trt"):
        raise ConfigError(f"{where}: {value!r} cannot be read: its file does not tell it from the format that it was")
    return values.choice(*MODEL_FORMATS)(value, where)


def _mapping(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ConfigError(f"{where}: {value!r} is no mapping; it is written by pytest-navigator, leave it out")
    return value


TARGET_FORMATS = ("tf-trt", "tf-savedmodel", "onnx", "trt", "torchscript", "torch-trt")
MODEL_FORMATS = ("torchscript", "tf-savedmodel", "onnx", "trt", "trt-rtx", "torch-exportedprogram", "openvino")

# Key -> the field of TensorRTConfig that it is.
TENSORRT = {
    "tensorrt_precisions": "precision",
    "tensorrt_precisions_mode": "precision_mode",
    "tensorrt_sparse_weights": "sparse_weights",
    "tensorrt_max_workspace_size": "max_workspace_size",
}

# Format -> the keys that its configuration has.
ENGINES = {"trt": tuple(TENSORRT), "tf-trt": ("tensorrt_precisions", "tensorrt_max_workspace_size")}

# Names that earlier versions of Model Navigator had, one of which its document still writes.
OLDER = {
    "target_precisions": "tensorrt_precisions",
    "target_precisions_mode": "tensorrt_precisions_mode",
    "explicit_precision": "tensorrt_explicit_precision",
    "sparse_weights": "tensorrt_sparse_weights",
    "max_workspace_size": "tensorrt_max_workspace_size",
}

SAYING = {"onnx": ("onnx_opsets",), "trt": tuple(TENSORRT)}  # Format -> the keys that say how it is to be made

IMAGES = "no image is chosen by a version; launch_mode: docker takes the one that framework_docker_image names"
BUILT = "no image of a container is built, so there is none to override"
TRITON = "a run does not set up a Triton Inference Server; see pytest-navigator deploy triton --version --instances"
GPUS = "this version chooses no GPUs; the environment variable CUDA_VISIBLE_DEVICES does"

# Key -> what reads its value; a key that is no field of `FileConfig` is only checked.
KEYS: dict[str, Callable[[Any, str], Any]] = {
    "model_name": values.text,
    "model_path": values.text,
    "config_path": _only("a configuration file names no other one"),
    "workspace_path": values.text,
    "output_package": values.text,
    # Every run clears its own workspace, whatever this says; --nav-resume keeps it.
    "override_workspace": values.flag,
    "container_version": _only(IMAGES, 22.07, "22.07"),
    "framework_docker_image": image,
    "triton_docker_image": _only(TRITON),
    "gpus": _only(GPUS, ["all"], "all"),
    "verbose": values.flag,
    "random_seed": values.seed,
    "model_format": _model_format,
    "model_version": _only(TRITON, 1, "1"),
    "output_path": values.text,
    "launch_mode": values.choice("local", "docker"),
    "override_conversion_container": _only(BUILT, False, "false"),
    "inputs": values.specs,
    "outputs": values.specs,
    "target_formats": _formats,
    "onnx_opsets": values.numbers,
    "tensorrt_precisions": _precisions,
    "tensorrt_precisions_mode": values.choice(*MODES),
    # Q/DQ nodes of the model's own are always left as they are.
    "tensorrt_explicit_precision": values.flag,
    "tensorrt_sparse_weights": values.flag,
    "tensorrt_max_workspace_size": values.positive,
    "quantization": quantization,
    "atol": values.tolerances,
    "rtol": values.tolerances,
    "batch_dim": values.axis,
    "unbatched": values.words,
    "max_batch_size": values.positive,
    "min_shapes": values.shapes,
    "opt_shapes": values.shapes,
    "max_shapes": values.shapes,
    "value_ranges": values.ranges,
    "dtypes": values.dtypes,
    "engine_count_per_device": _only(TRITON, [], {}),
    REPEAT: _mapping,
}

NAMES = frozenset(each.name for each in fields(FileConfig))

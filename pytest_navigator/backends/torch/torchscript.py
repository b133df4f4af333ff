"""TorchScript, by `torch.jit.script` and by `torch.jit.trace`."""

from __future__ import annotations

import inspect
import tempfile
import warnings
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pytest_navigator.backends.torch.live import AUTOCAST, AutocastConfig
from pytest_navigator.configuration.format_config import invalid
from pytest_navigator.core.variants import Variant
from pytest_navigator.errors import ConfigError
from pytest_navigator.formats.base import Format
from pytest_navigator.formats.navigator import Navigator
from pytest_navigator.runners.spec import table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    import torch

    from pytest_navigator.backends.torch.flat import Example
    from pytest_navigator.configuration.format_config import FormatConfig
    from pytest_navigator.core.plain import JSON, Parameters, Tree
    from pytest_navigator.core.records import Description, Signature, TensorSpec
    from pytest_navigator.core.script_parts import MakingCode, Subject
    from pytest_navigator.formats.content import Content
    from pytest_navigator.frameworks.base import Source


# Where a TorchScript file holds the version of its operators; the second one below version 6.
VERSIONS = (".data/version", "version")


class JitType(StrEnum):
    """How TorchScript is made."""

    SCRIPT = "script"
    TRACE = "trace"


@dataclass(frozen=True)
class TorchScriptConfig(AutocastConfig):
    """TorchScript; `custom_args` go to `torch.jit.script` or `torch.jit.trace`.

    Attributes:
        jit_type: "script", "trace" or both.
        strict: whether a traced model must not return dicts; False by itself where the source returns one.

    Raises:
        ConfigError: a value is not possible.
    """

    jit_type: JitType | str | tuple[JitType | str, ...] = (JitType.SCRIPT, JitType.TRACE)
    strict: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        asked = (self.jit_type,) if isinstance(self.jit_type, str) else tuple(self.jit_type)
        valid = [kind.value for kind in JitType]
        if not asked or any(kind not in valid for kind in asked):
            raise invalid(self, "jit_type", valid)
        if len(set(asked)) < len(asked):
            raise ConfigError(f"TorchScriptConfig.jit_type={self.jit_type!r} names one twice")
        object.__setattr__(self, "jit_type", tuple(JitType(kind) for kind in asked))


class TorchScriptFormat(Format):
    """`torchscript-script` and `torchscript-trace`."""

    name: ClassVar[str] = "torchscript"
    title: ClassVar[str] = "TorchScript"
    command: ClassVar[str] = "TorchScript"
    navigator: ClassVar[Navigator | None] = Navigator(
        runners=("TorchScriptCPU", "TorchScriptCUDA"),
        framework="torch",
        config="TorchScript",
        fields=("jit_type", "strict", *AUTOCAST),
        folder={"jit_type": ""},
    )
    config: ClassVar[type[FormatConfig]] = TorchScriptConfig
    frameworks: ClassVar[tuple[str, ...]] = ("torch", "torchscript")
    file: ClassVar[str] = "model.pt"
    file_title: ClassVar[str] = "a TorchScript file"
    suffixes: ClassVar[tuple[str, ...]] = (".pt", ".pth", ".jit", ".ts", ".torchscript")
    requires: ClassVar[tuple[str, ...]] = ("torch",)
    diagnosis: ClassVar[str] = "pytest_navigator.backends.torch.diagnosis:TorchScriptDiagnosis"
    runners = table(
        "torchscript",
        "pytest_navigator.backends.torch.torchscript_runners",
        ("TorchScriptCPU", "TorchScriptRunner", "cpu", ("torch",)),
        ("TorchScriptCUDA", "TorchScriptRunner", "cuda", ("cuda", "torch-cuda")),
    )

    def is_in(self, content: Content) -> bool:
        """Whether an archive has code and constants."""
        return "constants.pkl" in content.inner and any(name.startswith("code/") for name in content.inner)

    def as_source(self, config: FormatConfig) -> Variant:
        """Return the variant of a file."""
        return Variant(self.name, self.name, None, self.file, config.parameters(), self.runner_names)

    def describe(
        self, path: Path, parameters: Parameters, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]
    ) -> Description:
        """Return what the user says: the file knows no shapes and types."""
        from pytest_navigator.backends.torch.description import describe_torchscript

        return describe_torchscript(path, inputs, outputs)

    def load(self, path: Path) -> Any:
        """Return the `torch.jit.ScriptModule`."""
        import torch

        with warnings.catch_warnings():
            # torch.jit.load calls itself deprecated: whoever gives such a file can do nothing about it.
            warnings.simplefilter("ignore", DeprecationWarning)
            return torch.jit.load(str(path), map_location="cpu")

    def variants(self, config: FormatConfig, parents: Sequence[Variant]) -> list[Variant]:
        """Return one variant per jit type."""
        assert isinstance(config, TorchScriptConfig)
        return [
            Variant(
                f"{self.name}-{kind}",
                self.name,
                None,
                self.file,
                {**config.parameters(), "jit_type": str(kind)},
                self.runner_names,
            )
            for kind in config.jit_type
        ]

    def export(
        self, source: Source, example: Mapping[str, np.ndarray], signature: Signature, variant: Variant, path: Path
    ) -> dict[str, JSON]:
        """Script or trace the model."""

        from pytest_navigator.backends.torch.flat import example_tensors, on_device, scripted
        from pytest_navigator.backends.torch.source import calling
        from pytest_navigator.backends.torch.torchscript_runners import INTERFACE
        from pytest_navigator.formats.exporting import exporter

        model, device = on_device(source, variant.parameters)
        kind = variant.parameters["jit_type"]
        with exporter(f"torch.jit.{kind}") as lines, calling({**variant.parameters, "inference_mode": False}, device):
            if kind == JitType.SCRIPT:
                module = scripted(model, **variant.parameters["custom_args"])
                data: dict[str, JSON] = {"interface": "model"}
            else:
                module, data = _traced(model, example_tensors(example, signature, device), signature, variant)
            _save(module, {INTERFACE: str(data["interface"])}, path)
        return {**data, "warnings": lines}

    def export_script(self, subject: Subject) -> MakingCode:
        """Return the export, with the interface that succeeded."""

        from pytest_navigator.backends.torch import making_code as text
        from pytest_navigator.core.script_parts import MakingCode
        from pytest_navigator.reproduce.code import keywords

        options = keywords(subject.variant.parameters["custom_args"])
        scripted = subject.variant.parameters["jit_type"] == JitType.SCRIPT
        made = f"module = torch.jit.script(model{options})" if scripted else _tracing(subject)
        imports = ("import inspect",) if "inspect." in made else ()
        saved = MakingCode("torch.jit.save(module, args.output)\ntorch.jit.load(args.output)", imports)
        return text.making(subject, made).then(saved)


def _tracing(subject: Subject) -> str:
    """Return the call of `torch.jit.trace` that delivered, else the first one that is tried."""
    from pytest_navigator.reproduce.code import call_arguments, keywords

    signature, data = subject.signature, subject.data
    strict = data.get("strict", _strict(signature, subject.variant))
    options = keywords({"check_trace": False, "strict": strict, **subject.variant.parameters["custom_args"]})
    if data.get("interface") == "flat":
        return f"module = torch.jit.trace(Flat(model).eval(), tensors{options})"
    names = [spec.name for spec in signature.inputs]
    arguments = call_arguments(signature.input_tree, lambda name: f"tensors[{names.index(name)}]")
    if signature.input_tree["kwargs"]:
        bound = f"bound = inspect.signature(model.forward).bind({arguments})"
        return f"{bound}\nmodule = torch.jit.trace(model, example_kwarg_inputs=dict(bound.arguments){options})"
    return f"module = torch.jit.trace(model, ({arguments},){options})"


def _save(module: torch.jit.ScriptModule, notes: dict[str, str], path: Path) -> None:
    """Write the module without its debug records: they hold the absolute paths of the files that it comes from."""
    import torch

    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        made = Path(folder, path.name)
        torch.jit.save(module, str(made), _extra_files=notes)
        reader, writer = torch._C.PyTorchFileReader(str(made)), torch._C.PyTorchFileWriter(str(path))
        names = reader.get_all_records()
        writer.set_min_version(int(reader.get_record(next(name for name in VERSIONS if name in names))))
        for name in names:
            # Version and id are the writer's own.
            if name not in VERSIONS and not name.startswith(".data/") and not name.endswith(".debug_pkl"):
                record = reader.get_record(name)
                writer.write_record(name, record, len(record))
        writer.write_end_of_file()


def _traced(
    model: torch.nn.Module, tensors: Example, signature: Signature, variant: Variant
) -> tuple[torch.jit.ScriptModule, dict[str, JSON]]:
    """Trace the model with its own interface, or, where tracing has no types for that, with a flat one."""

    import torch

    from pytest_navigator.backends.torch.flat import flat_module
    from pytest_navigator.backends.torch.source import preserving

    # Not checked by the tracer, which runs the model once more and has tolerances of its own: the next step compares.
    options = {"check_trace": False, "strict": _strict(signature, variant), **variant.parameters["custom_args"]}
    try:
        inputs = _trace_inputs(model, tensors, signature)
        with preserving(model):  # the second attempt must not meet what the first one leaves
            return torch.jit.trace(model, **inputs, **options), {"interface": "model", "strict": options["strict"]}
    except Exception as first:
        flat_form = flat_module(model, signature)
        try:
            flat = torch.jit.trace(flat_form, tensors, **options)
        except Exception:
            raise first from None
        return flat, {"interface": "flat", "strict": options["strict"]}


def _strict(signature: Signature, variant: Variant) -> bool:
    # A strict tracer refuses a dict in the output: its keys become constants, which the signature has anyway.
    return bool(variant.parameters["strict"]) and not _has_dict(signature.output_tree)


def _has_dict(tree: Tree) -> bool:
    ((kind, content),) = tree.items()
    return kind in ("dict", "object") or (kind in ("list", "tuple") and any(_has_dict(part) for part in content))


def _trace_inputs(model: torch.nn.Module, tensors: Example, signature: Signature) -> dict[str, Any]:
    """Return the arguments of `torch.jit.trace`, which takes positional or keyword examples but not both."""
    from pytest_navigator.samples.structure import unflatten_call

    names = [spec.name for spec in signature.inputs]
    call = unflatten_call(signature.input_tree, dict(zip(names, tensors, strict=True)))
    if not call.kwargs:
        return {"example_inputs": tuple(call.args)}
    bound = inspect.signature(model.forward).bind(*call.args, **call.kwargs)
    return {"example_kwarg_inputs": dict(bound.arguments)}

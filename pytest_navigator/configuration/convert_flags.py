"""The flags of `pytest-navigator convert`: one for each key of the configuration file, read by the same table."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from pytest_navigator.configuration.nav_config_file import OLDER, FileConfig, flag_of, read, with_flags

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

MODEL, PROFILE, FORMATS, RUN, NOTHING = (
    "model",
    "random data that it is checked on",
    "what is made",
    "the run",
    "Model Navigator's containers and server (accepted where they mean what happens anyway)",
)


class Flag(NamedTuple):
    """A flag of the command.

    Attributes:
        key: of the configuration file.
        metavar: of its value, of each of several ("NAME ..."); "" for a switch.
        help: for people.
    """

    key: str
    metavar: str
    help: str

    @property
    def names(self) -> list[str]:
        """The flag, and as earlier versions of Model Navigator called it."""
        return [flag_of(key) for key in (self.key, *(old for old, new in OLDER.items() if new == self.key))]

    def add_to(self, parser: argparse._ArgumentGroup) -> None:
        """Describe it."""
        several, switch = self.metavar.endswith(" ..."), not self.metavar
        # Each time adds to what was there, so that a value that begins with a minus can be written with "=".
        form = {"action": "extend", "nargs": "+"} if several else {"nargs": "?", "const": "true"} if switch else {}
        metavar = "BOOL" if switch else self.metavar.removesuffix(" ...")
        parser.add_argument(*self.names, dest=self.key, metavar=metavar, help=self.help, **form)  # type: ignore[arg-type]


TENSORS = "NAME:SHAPE:TYPE ..."
SHAPES = "NAME=D0,D1,.. ..."

FLAGS: dict[str, tuple[Flag, ...]] = {
    MODEL: (
        Flag("model_path", "FILE", "the model, as FILE is"),
        Flag("model_name", "NAME", "of the model (default: the file's)"),
        Flag("model_format", "FORMAT", "of the file, where neither content nor suffix tells it"),
        Flag("inputs", TENSORS, "signature, for files without one: image__0:-1,3,224,224:float32"),
        Flag("outputs", TENSORS, "signature, for files without one: output__0:-1,1000:float32"),
        Flag("batch_dim", "AXIS", "the batch axis; none: the model has none (default: 0)"),
        Flag("unbatched", "NAME ...", "inputs without a batch axis"),
    ),
    PROFILE: (
        Flag("max_batch_size", "N", "largest batch (default: 128, less where the inputs are large)"),
        Flag("min_shapes", SHAPES, "smallest shapes, with the batch: image__0=1,3,224,224"),
        Flag("opt_shapes", SHAPES, "usual shapes, with the batch"),
        Flag("max_shapes", SHAPES, "largest shapes, with the batch; needed for every other dynamic axis"),
        Flag("value_ranges", "[NAME=]LOW,HIGH ...", "of the numbers, both included (default: 0,1)"),
        Flag("dtypes", "[NAME=]TYPE ...", "of the inputs; they have to be those of the model"),
        Flag("random_seed", "N", "of the random data (default: 0)"),
    ),
    FORMATS: (
        Flag(
            "target_formats",
            "FORMAT ...",
            "to make, or groups: edge, cpu, all (default: the usual ones of such a file)",
        ),
        Flag("onnx_opsets", "N ...", "one ONNX file each (default: 18)"),
        Flag("tensorrt_precisions", "NAME ...", "of the engines (default: fp16 fp32)"),
        Flag("tensorrt_precisions_mode", "MODE", "hierarchy, single or mixed (default: hierarchy)"),
        Flag("tensorrt_explicit_precision", "", "accepted: Q/DQ nodes of the model are always left as they are"),
        Flag("tensorrt_sparse_weights", "", "let TensorRT use 2:4 sparsity"),
        Flag("tensorrt_max_workspace_size", "BYTES", "of the builder (default: 4294967296)"),
        Flag("quantization", "NAME=VALUE ...", "of onnx-int8 and its like: samples=8 exclude=head,encoder.layers.0"),
        Flag("atol", "[NAME=]TOL ...", "absolute tolerance (default: that of the precision)"),
        Flag("rtol", "[NAME=]TOL ...", "relative tolerance (default: that of the precision)"),
    ),
    RUN: (
        Flag("launch_mode", "MODE", "local, or docker: in a container of that image (default: local without one)"),
        Flag("framework_docker_image", "IMAGE", "in which formats are made and run; see docs/interpreters.md"),
        Flag("workspace_path", "DIR", "folder of the run (default: navigator_workspace)"),
        Flag("override_workspace", "", "accepted: every run clears its own workspace"),
        Flag("output_path", "PATH", "where the first successful model is copied"),
        Flag("output_package", "PATH", "package to write (default: none)"),
        Flag("verbose", "", "keep the arrays of comparisons that passed, too"),
    ),
    NOTHING: (
        Flag("container_version", "VERSION", "22.07"),
        Flag("override_conversion_container", "", "false"),
        Flag("triton_docker_image", "IMAGE", "none"),
        Flag("gpus", "ID ...", "all; others by the environment variable CUDA_VISIBLE_DEVICES"),
        Flag("model_version", "N", "1; another by pytest-navigator deploy triton --version"),
        Flag("engine_count_per_device", "KIND=N ...", "none; see pytest-navigator deploy triton --instances"),
    ),
}


ALL = [flag for flags in FLAGS.values() for flag in flags]


def said_by(arguments: argparse.Namespace, config_path: Path | None) -> FileConfig:
    """Return what the flags say, and the file where they say nothing.

    Raises:
        ConfigError: a flag, a key or a value cannot be.
    """
    given = {flag.key: value for flag in ALL if (value := getattr(arguments, flag.key)) is not None}
    texts = {key: value if isinstance(value, str) else " ".join(value) for key, value in given.items()}
    return with_flags(read(config_path) if config_path else FileConfig(), texts)

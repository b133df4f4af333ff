"""Options that a package asks a runtime or a converter for: known ones of their own types, and no other."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

import pytest_navigator as nav
from pytest_navigator.backends.builtin import known
from pytest_navigator.backends.exchange.onnx import OnnxFormat
from pytest_navigator.backends.tensorrt.format import TensorRTFormat
from pytest_navigator.configuration.foreign_arguments import check_arguments, check_parameters
from pytest_navigator.configuration.nav_config_file import read
from pytest_navigator.core.variants import Variant
from pytest_navigator.errors import ConfigError, NavigatorError, PackageError
from tests.package.tampered import put, tampered

OnnxCPU = known().runners()["OnnxCPU"].load()


def variant(format: str, options: Any, parent: str | None = None) -> Variant:
    return Variant(format, format, parent, "model", {"custom_args": options})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("__setattr__", ["optimized_model_filepath", "written.onnx"]),
        ("__class__", "x"),
        ("__init__", 0),
        ("__setattr__", None),
        ("optimized_model_filepath", "written.onnx"),
        ("enable_profiling", True),
        ("enable_profiling", 1),
        ("profile_file_prefix", "written"),
        ("add_provider", ["TensorrtExecutionProvider", {}]),
        ("add_external_initializers_from_files_in_memory", [[], [], []]),
        ("add_session_config_entry", ["ep.context_enable", "1"]),
        ("add_session_config_entry", ["session.optimized_model_external_initializers_file_name", "written"]),
        ("add_session_config_entry", ["session.set_denormal_as_zero", "1; rm"]),
        ("add_session_config_entry", [["session.set_denormal_as_zero", "1"]]),
        ("intra_op_num_threads", 10**9),
        ("intra_op_num_threads", True),
        ("inter_op_num_threads", "2"),
        ("enable_mem_pattern", "no"),
        ("graph_optimization_level", ["ORT_DISABLE_ALL"]),
        ("logid", "x"),
    ],
)
def test_no_package_sets_another_option_of_a_session(
    pair: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: Any
) -> None:
    copy = Path(shutil.copy(pair, tmp_path / "pair.nav"))
    with nav.load(copy) as package:
        place = [v.key for v in package.results.suite.variants].index("onnx")
    options = {"session_options": {name: value}}
    evil = tampered(copy, put("suite", "variants", place, "parameters", "custom_args", value=options))
    monkeypatch.chdir(tmp_path)
    before = set(tmp_path.iterdir())

    with nav.load(evil) as package, pytest.raises(PackageError, match=r"onnx: its custom_args have \S*="):
        package.get_runner("onnx").activate()
    assert set(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("intra_op_num_threads", 2),
        ("graph_optimization_level", "ORT_DISABLE_ALL"),
        ("add_session_config_entry", ["session.intra_op.allow_spinning", "0"]),
        ("add_free_dimension_override_by_name", ["batch", 2]),
        ("enable_mem_pattern", False),
    ],
)
def test_a_known_option_of_its_own_type_is_set(name: str, value: Any) -> None:
    check_arguments(variant("onnx", {"session_options": {name: value}}), making=False)


@pytest.mark.parametrize(
    ("format", "options"),
    [
        ("torch", {"options": {"cpp.cxx": ["./evil"]}}),
        ("torch", {"backend": "evil.module"}),
        ("torch", {"mode": "max-autotune", "options": {"trace.enabled": True}}),
        ("jax", {"compiler_options": {"xla_dump_to": "here"}}),
        ("jax", {"device": "cpu"}),
        ("onnx", {"session_options": ["__setattr__"]}),
        ("onnx", "enable_profiling"),
    ],
)
def test_a_runner_takes_no_other_option(format: str, options: Any) -> None:
    with pytest.raises(PackageError, match=f"{format}: its custom_args "):
        check_arguments(variant(format, options), making=False)


@pytest.mark.parametrize(
    ("format", "options"),
    [
        ("trt", {"trt_config_s": "evil"}),
        ("trt", {"--trt-npps": "evil"}),
        ("trt", {"max_aux_streams": "1 --plugins evil.so"}),
        ("trt", {"tactic_sources": ["--plugins=evil"]}),
        ("trt", {"tactic_sources": ["CUBLAS", "../x"]}),
        ("trt", {"data_loader_backend_module": "torch"}),
        ("trt-rtx", {"log_file": "written"}),
        ("onnx", {"report": True, "artifacts_dir": "."}),
        ("onnx", {"dump_exported_program": True}),
        ("torch-trt", {"engine_cache_dir": "here"}),
        ("torch-trt", {"dryrun": "written"}),
        ("torch-trt", {"autocast_low_precision_type": "hub"}),
        ("tf-trt", {"conversion_params": {}}),
        ("of-a-plugin", {"anything": 1}),
    ],
)
def test_a_conversion_takes_no_other_option(format: str, options: Any) -> None:
    with pytest.raises(PackageError, match=f"{format}: its custom_args have "):
        check_arguments(variant(format, options, "onnx"), making=True)


@pytest.mark.parametrize(
    "parameters",
    [
        {"onnx_parser_flags": ["NATIVE_INSTANCENORM", "--plugins=evil.so"]},
        {"compatibility_level": "--plugins"},
        {"compute_capabilities": ["../../x"]},
        {"autocast_dtype": "hub"},
        {"backend": "evil"},
        {"precision": "os"},
        {"strict": "yes"},
        {"signature": "a\x1b[2J"},
    ],
)
def test_a_parameter_is_a_name_or_a_number(parameters: dict[str, Any]) -> None:
    with pytest.raises(PackageError, match=f"trt: its parameter {next(iter(parameters))} is "):
        check_parameters(Variant("trt", "trt", "onnx", "model.plan", parameters))


def test_what_our_own_formats_write_passes() -> None:
    onnx = OnnxFormat().variants(nav.OnnxConfig(dynamic_axes={"x": {0: "batch"}}), [])
    engines = TensorRTFormat().variants(
        nav.TensorRTConfig(onnx_parser_flags=["NATIVE_INSTANCENORM"], compatibility_level="ampere_plus"), onnx
    )
    for each in (*onnx, *engines):
        check_arguments(each, making=bool(each.parent))
        check_parameters(each)


@pytest.mark.parametrize("name", ["__setattr__", "__class__", "_pybind11_conduit_v1_"])
def test_what_is_no_option_is_none_for_the_user_either(name: str) -> None:
    runner = OnnxCPU(Path("x"), None, {"custom_args": {"session_options": {name: 1}}})  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=f"onnxruntime.SessionOptions has no attribute '{name}'"):
        runner.activate()


def test_a_configuration_file_sets_no_other_option_either(tmp_path: Path) -> None:
    (tmp_path / "nav.yaml").write_text(
        "target_formats: [trt]\n"
        "pytest_navigator: {parameters: {precision: fp16, custom_args: {trt_config_script: evil.py}}}\n"
    )
    with pytest.raises(
        NavigatorError, match=r"nav\.yaml: pytest_navigator: trt: its custom_args have trt_config_script"
    ):
        read(tmp_path / "nav.yaml").nav_config([TensorRTFormat()])

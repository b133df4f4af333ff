"""What status.yaml says where something is: in the package, or the package is refused."""

from __future__ import annotations

import re
import shutil
from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

import pytest_navigator as nav
from pytest_navigator.configuration.foreign_arguments import check_arguments, without_files
from pytest_navigator.core.variants import Variant
from pytest_navigator.errors import PackageError
from pytest_navigator.package.container.reader import open_package
from pytest_navigator.package.container.writer import pack
from pytest_navigator.package.layout import paths
from pytest_navigator.package.source import read_package
from tests.package.commands import command
from tests.package.recorded import CASE, SOURCE, outcomes
from tests.package.tampered import put, tampered

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DATA = {**SOURCE.data, "cases": [CASE], "profiling_batch": "model_input/batches/0.npz"}
OUTSIDE = ("/etc/passwd", "../../secret.npz", "C:/secret.npz", "a\\..\\secret", 3)


@pytest.fixture
def package(workspace: Callable[..., Path], tmp_path: Path) -> Path:
    return pack(workspace([replace(SOURCE, data=DATA), *outcomes()[1:]]), tmp_path / "out.nav", environment={})


TRACED = ("suite", "variants", 2)
VARIANT = ("suite", "variants", 3)
STEP = ("steps", "source", "data")


@pytest.mark.parametrize(
    ("place", "where"),
    [
        ((*TRACED, "key"), "$.pytest_navigator.suite.variants[2].key"),
        ((*VARIANT, "file"), "$.pytest_navigator.suite.variants[3].file"),
        ((*STEP, "profiling_batch"), "$.pytest_navigator.steps['source'].data.profiling_batch"),
        ((*STEP, "timed_batch"), "$.pytest_navigator.steps['source'].data.timed_batch"),
        ((*STEP, "cases", 0, "input"), "$.pytest_navigator.steps['source'].data.cases[0].input"),
        ((*STEP, "cases", 0, "output"), "$.pytest_navigator.steps['source'].data.cases[0].output"),
        ((*STEP, "machine"), "$.pytest_navigator.steps['source'].data.machine"),
    ],
)
@pytest.mark.parametrize("value", OUTSIDE)
def test_a_path_out_of_the_package_is_refused_with_its_place(
    package: Path, place: tuple[str | int, ...], where: str, value: Any
) -> None:
    evil = tampered(package, put(*place, value=value))

    said = f"{re.escape(where)}: ({re.escape(f'{value!r} is ')}|expected str)"
    with pytest.raises(PackageError, match=rf"evil\.nav: status\.yaml: {said}"):
        open_package(evil)


@pytest.mark.parametrize(
    ("place", "value", "problem"),
    [
        ((*TRACED, "key"), "onnx/deeper", "is the name of something in a folder"),
        ((*TRACED, "key"), "", "is a name that leads elsewhere"),
        ((*TRACED, "key"), ".steps", "is a hidden name"),
        ((*VARIANT, "file"), "other.onnx", "the package has no 'onnx/other.onnx'"),
        ((*VARIANT, "file"), "format.log", "the package has no 'onnx/format.log'"),
        ((*STEP, "profiling_batch"), "onnx/model.onnx", "is not below model_input/"),
        ((*STEP, "cases", 0, "output"), "model_input/batches/0.npz", "is not below model_output/"),
        (("machines",), {"../../gpu": {}}, "$.pytest_navigator.machines: '../../gpu' is the name of something in"),
    ],
)
def test_a_path_to_something_else_is_refused(
    package: Path, place: tuple[str | int, ...], value: Any, problem: str
) -> None:
    with pytest.raises(PackageError, match=re.escape(problem)):
        open_package(tampered(package, put(*place, value=value)))


def test_an_artifact_may_be_a_folder(package: Path) -> None:
    evil = tampered(package, put(*VARIANT, "file", value="model.folder"), **{"onnx/model.folder/a": b"x"})

    with nav.load(evil) as opened:
        assert (opened.get_path("onnx") / "a").read_bytes() == b"x"


@pytest.mark.parametrize("options", [{"keep": "none"}, {"save_data": "none"}], ids=["no models", "no samples"])
def test_what_was_left_out_need_not_be_there(workspace: Callable[..., Path], tmp_path: Path, options: Any) -> None:
    path = pack(
        workspace([replace(SOURCE, data=DATA), *outcomes()[1:]]), tmp_path / "out.nav", environment={}, **options
    )

    open_package(path).close()


def test_what_a_failed_export_left_is_no_reason_to_refuse_a_package(
    workspace: Callable[..., Path], tmp_path: Path
) -> None:
    folder = workspace()
    (folder / "torchscript-script" / "half.pt").write_bytes(b"half")

    open_package(pack(folder, tmp_path / "out.nav", environment={})).close()


@pytest.mark.parametrize("name", ["path", "parent_path", "log_path", "key"])
def test_a_package_of_model_navigator_leads_nowhere_else_either(package: Path, name: str) -> None:
    def change(status: dict[str, Any]) -> None:
        del status["pytest_navigator"]
        status["models_status"]["onnx"]["model_config"][name] = "../../etc/passwd"

    evil = package.with_name("plain.nav")
    _without_ours(package, evil, change)
    where = f"$.models_status['onnx'].model_config.{name}: '../../etc/passwd' is "
    with pytest.raises(PackageError, match=re.escape(where)):
        open_package(evil)


def test_what_model_navigator_writes_is_accepted() -> None:
    status = {"models_status": {}}
    for key, file, parent in (("torch", "----", None), ("onnx", "model.onnx", None), ("trt", "model.plan", "onnx")):
        config = {"key": key, "path": f"{key}/{file}", "parent_path": None, "log_path": f"{key}/format.log"}
        status["models_status"][key] = {"model_config": {**config, "parent_key": parent}}

    assert paths.astray(status) == paths.absent(status, ["onnx/model.onnx"]) == ""


def test_samples_that_are_not_there_are_named_before_a_run(package: Path) -> None:
    with pytest.raises(PackageError, match=r"has no model_input/elsewhere\.npz"):
        read_package(tampered(package, put(*STEP, "cases", 0, "input", value="model_input/elsewhere.npz")))


ARGUMENTS = {"session_options": {"register_custom_ops_library": "/tmp/evil.so", "inter_op_num_threads": 2}}


def test_a_package_names_no_library_that_is_loaded(pair: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(pair, tmp_path / "pair.nav")
    with open_package(tmp_path / "pair.nav") as package:
        keys = [variant["key"] for variant in package.details["suite"]["variants"]]
    place = ("suite", "variants", keys.index("onnx"), "parameters", "custom_args")
    evil = tampered(tmp_path / "pair.nav", put(*place, value=ARGUMENTS))

    problem = "onnx: its custom_args have register_custom_ops_library='/tmp/evil.so', a file that is not in the package"
    with nav.load(evil) as package:
        with pytest.raises(PackageError, match=f"{problem}; if it is to be used, NAV_PACKAGE_FILES=/tmp/evil.so lets"):
            package.get_runner("onnx")
        monkeypatch.setenv("NAV_PACKAGE_FILES", "/lib/other.so:/tmp/evil.so")
        assert package.get_runner("onnx").runner_name == "OnnxCPU"
        monkeypatch.delenv("NAV_PACKAGE_FILES")
    with pytest.raises(PackageError, match=problem):
        read_package(evil)


@pytest.mark.parametrize("value", [{"plugins": ["evil"]}, {"trt_config_script": "evil"}, {"x": [{"y": "evil.so"}]}])
def test_arguments_of_a_conversion_that_are_files_are_refused(value: Any) -> None:
    variant = Variant("trt-fp16", "trt", "onnx", "model.plan", {"custom_args": value})

    with pytest.raises(PackageError, match=r"trt-fp16: its custom_args have \w+='evil"):
        check_arguments(variant, making=True)
    check_arguments(variant, making=False)  # a runner takes none of them


def test_other_arguments_of_a_conversion_pass() -> None:
    value = {"hardware_compatibility_level": "ampere_plus", "max_aux_streams": 2, "tactic_sources": [], "mode": None}

    check_arguments(Variant("trt-fp16", "trt", "onnx", "model.plan", {"custom_args": value}), making=True)


def test_a_conversion_that_is_made_again_takes_no_file_of_the_other_machine() -> None:
    given = {"model_path": "/etc/passwd", "timing_cache_dir": "/root", "precision": "fp16"}

    assert without_files(given) == {"model_path": None, "timing_cache_dir": None, "precision": "fp16"}


def test_the_command_line_says_it_in_one_line(package: Path) -> None:
    ran = command("show", tampered(package, put(*VARIANT, "file", value="../../../etc/passwd")))

    assert ran.code == 2
    assert ran.err.endswith(
        "status.yaml: $.pytest_navigator.suite.variants[3].file: '../../../etc/passwd' is a name that leads elsewhere; "
        "the package was tampered with\n"
    )


def _without_ours(package: Path, target: Path, change: Callable[[dict[str, Any]], object]) -> None:
    shutil.move(tampered(package, change), target)


@pytest.mark.parametrize(
    ("entry", "refused"),
    [
        (["session.intra_op.allow_spinning", "0"], False),
        (["session.set_denormal_as_zero", "1"], False),
        (["ep.context_file_path", "evil"], True),
        (["session.anything", "/etc/passwd"], True),
    ],
)
def test_an_entry_of_onnx_runtimes_configuration_is_a_file_only_where_it_says_so(entry: list[str], refused: bool):
    value = {"session_options": {"add_session_config_entry": entry}}
    variant = Variant("onnx", "onnx", "torch", "model.onnx", {"custom_args": value})
    problem = "a file that is not in the package|a value that it cannot have"
    with pytest.raises(PackageError, match=problem) if refused else nullcontext():
        check_arguments(variant, making=False)

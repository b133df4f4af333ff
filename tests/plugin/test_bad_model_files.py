"""A model file that cannot be checked: a usage error before anything runs, or a failed source item with one line."""

from __future__ import annotations

import importlib.util
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import pytest
from blackbox import words
from model_files import (
    classifier,
    constant,
    expand,
    linear,
    relocated,
    saved_linear,
    sequence,
    torch_files,
    with_external_data,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    Nav = Callable[..., pytest.RunResult]
    Failed = Callable[[pytest.RunResult], dict[str, str]]

ZIP = b"PK\x03\x04" + bytes(100)

CONTENTS: dict[str, tuple[str, bytes | None, str]] = {
    "missing": ("model.onnx", None, "there is no file *model.onnx; for a function write module:function*"),
    "empty": ("model.onnx", b"", "*model.onnx is empty"),
    "text": ("model.onnx", b"hello world", "*model.onnx is not an ONNX file: * it starts with 'hello world'"),
    "an error page": ("model.pt", b"<!DOCTYPE html>", "*model.pt is not a TorchScript file: * '<!DOCTYPE ht'"),
    "a Git LFS pointer": (
        "m.onnx",
        b"version https://git-lfs.github.com/spec/v1",
        "*is a Git LFS pointer*git lfs pull",
    ),
    "a cut archive": ("model.pt", ZIP, "*is a ZIP archive that was cut off*"),
    "a pickle": ("model.pt", b"\x80\x02}q\x00.", "*is a pickle (an old torch.save)*torch.jit.save*"),
    "HDF5": ("model.h5", b"\x89HDF\r\n\x1a\n0000", "*is an HDF5 file*--nav-model=module:function"),
    "unknown": ("model.bin", b"\xff" * 50, "*is no model that is known here*"),
}


@pytest.fixture
def usage_error(nav: Nav) -> Callable[..., str]:
    """Run and return the one line of the usage error."""

    def run(*args: str) -> str:
        result = nav(*args, "--nav-in-process", formats="")
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        (line,) = [line.removeprefix("ERROR: ") for line in result.errlines if line.startswith("ERROR: ")]
        return line

    return run


@pytest.fixture
def source_error(nav: Nav, monkeypatch: pytest.MonkeyPatch, failed: Failed) -> Callable[..., str]:
    """Run and return the message of the source item, the only one that fails."""
    monkeypatch.setenv("COLUMNS", "800")

    def run(*args: str) -> str:
        result = nav("-v", *args, "--nav-in-process", formats="")
        assert set(words(result).values()) == {"FAILED", "SKIPPED"}
        assert result.ret == pytest.ExitCode.TESTS_FAILED
        (message,) = failed(result).values()
        return message

    return run


@pytest.mark.parametrize("case", CONTENTS)
def test_what_is_no_model_is_a_usage_error(
    pytester: pytest.Pytester, usage_error: Callable[..., str], case: str
) -> None:
    name, content, message = CONTENTS[case]
    if content is not None:
        (pytester.path / name).write_bytes(content)
    line = usage_error(f"--nav-model={name}")
    assert fits(line, f"--nav-model={name}: {message}")


def test_a_file_that_was_cut_off_is_a_usage_error(pytester: pytest.Pytester, usage_error: Callable[..., str]) -> None:
    path = linear(pytester.path / "model.onnx")
    path.write_bytes(path.read_bytes()[:-20])
    assert fits(usage_error("--nav-model=model.onnx"), "*model.onnx is not a complete ONNX file: it was cut off*")


def test_weights_are_no_model(pytester: pytest.Pytester, usage_error: Callable[..., str]) -> None:
    torch = pytest.importorskip("torch")
    torch.save(torch.nn.Linear(5, 7).state_dict(), str(pytester.path / "weights.pt"))
    assert fits(usage_error("--nav-model=weights.pt"), "*was written by torch.save: it holds weights*")


def test_another_format_than_the_name_or_the_user_says(
    pytester: pytest.Pytester, usage_error: Callable[..., str], nav: Nav
) -> None:
    linear(pytester.path / "model.jit")
    message = usage_error("--nav-model=model.jit")
    assert fits(message, "*is called like a TorchScript file, but its content is an ONNX file*--nav-model-format=onnx")
    said = usage_error("--nav-model=model.jit", "--nav-model-format=tf-savedmodel")
    assert fits(said, "*is an ONNX file by its content, not a SavedModel: --nav-model-format=onnx")
    nav("--nav-model=model.jit", "--nav-model-format=onnx", "--nav-in-process", formats="").assert_outcomes(passed=2)


def test_a_folder_that_is_no_saved_model(pytester: pytest.Pytester, usage_error: Callable[..., str]) -> None:
    pytester.mkdir("folder")
    assert fits(usage_error("--nav-model=folder"), "*folder is a folder without saved_model.pb*")


def test_options_that_say_something_of_no_model(usage_error: Callable[..., str]) -> None:
    for option in ("--nav-model-format=onnx", "--nav-framework=torch", "--nav-dataloader=m:f"):
        assert usage_error(option) == f"{option} is of no use without --nav-model=SPEC"


def test_one_file_twice(pytester: pytest.Pytester, usage_error: Callable[..., str]) -> None:
    linear(pytester.path / "model.onnx")
    assert "is named twice" in usage_error("--nav-model=model.onnx", "--nav-model=./model.onnx")


def test_an_opset_or_a_version_that_is_newer_than_the_runtime(
    pytester: pytest.Pytester, source_error: Callable[..., str]
) -> None:
    linear(pytester.path / "opset.onnx", opset=999)
    assert fits(
        source_error("--nav-model=opset.onnx"),
        "ONNX Runtime * cannot load the file: the file has opset 999, this version takes none above *",
    )
    linear(pytester.path / "ir.onnx", ir_version=99)
    message = source_error("--nav-model=ir.onnx")
    assert fits(
        message, "*the file has IR version 99, this version takes none above *; it loads when it is saved with *"
    )


def test_an_unknown_operator_says_how_to_name_its_library_and_lets_others_run(
    pytester: pytest.Pytester, nav: Nav, failed: Failed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "800")
    linear(pytester.path / "custom.onnx", custom=True)
    linear(pytester.path / "linear.onnx")
    args = "--nav-model=custom.onnx", "--nav-model=linear.onnx"
    result = nav(*args, "--nav-in-process", formats="")
    result.assert_outcomes(passed=2, failed=1, skipped=1)
    (message,) = failed(result).values()
    advice = (
        "nav_config = NavConfig(formats=[OnnxConfig(custom_args={'session_options': {'register_custom_ops_library': "
    )
    assert "nobody has registered the operator SecretMatMul of 'my.company'" in message
    assert f"{advice}'/path/of/library.so'}}}})])" in message

    code = f"from pytest_navigator import NavConfig, OnnxConfig\n{advice}'/nowhere.so'}}}})])\n"
    pytester.makeconftest(code)
    (message,) = failed(nav("--nav-model=custom.onnx", "--nav-in-process", formats="")).values()
    assert fits(message, "session_options: register_custom_ops_library('/nowhere.so') failed: *cannot open shared*")


def test_external_data_that_is_missing_or_elsewhere(
    pytester: pytest.Pytester, source_error: Callable[..., str]
) -> None:
    folder = pytester.mkdir("models")
    path = with_external_data(folder / "model.onnx", "weights.bin")
    relocated(path, "../weights.bin")
    (folder / "weights.bin").rename(pytester.path / "weights.bin")
    message = source_error("--nav-model=models/model.onnx")
    assert fits(
        message, "model.onnx has external data outside of its folder (../weights.bin)*save_as_external_data=True)"
    )
    relocated(path, "weights.bin")
    message = source_error("--nav-model=models/model.onnx")
    assert message == "model.onnx needs the external data weights.bin, which is not there: copy it beside the file"


def test_external_data_behind_a_link_out_of_the_folder(
    pytester: pytest.Pytester, source_error: Callable[..., str]
) -> None:
    folder = pytester.mkdir("models")
    with_external_data(folder / "model.onnx", "weights.bin")
    (folder / "weights.bin").rename(pytester.path / "elsewhere.bin")
    (folder / "weights.bin").symlink_to(pytester.path / "elsewhere.bin")
    assert "has external data outside of its folder" in source_error("--nav-model=models/model.onnx")


def test_numbers_that_the_model_does_not_take_are_called_random(
    pytester: pytest.Pytester, source_error: Callable[..., str]
) -> None:
    expand(pytester.path / "model.onnx")
    (pytester.path / "nav.yaml").write_text("value_ranges: {shape: [5, 9]}")
    assert fits(
        source_error("--nav-model=model.onnx", "--nav-config=nav.yaml"),
        "the model raised on sample 0: InvalidArgument: Non-zero status code *invalid expand shape; the samples are "
        "random: say what the model takes in value_ranges of --nav-config, or give the run a nav_dataloader",
    )


def test_a_model_without_inputs(pytester: pytest.Pytester, source_error: Callable[..., str]) -> None:
    constant(pytester.path / "model.onnx")
    assert source_error("--nav-model=model.onnx") == "the model has no inputs: there is nothing to check it on"


def test_something_else_than_tensors(pytester: pytest.Pytester, source_error: Callable[..., str]) -> None:
    sequence(pytester.path / "model.onnx")
    assert source_error("--nav-model=model.onnx") == "input 'x' is a sequence: only models of tensors can be checked"


def test_the_dicts_of_a_classifier_are_told_how_to_leave_out(
    pytester: pytest.Pytester, source_error: Callable[..., str]
) -> None:
    classifier(pytester.path / "model.onnx")
    assert source_error("--nav-model=model.onnx") == (
        "output 'output_probability' is a sequence of maps: only models of tensors can be checked; ZipMap makes it of "
        "the tensor 'probabilities', for users of Python's dicts: write the file without it (skl2onnx: "
        "options={\"zipmap\": False}; onnxmltools: zipmap=False), or make 'probabilities' the output in its place"
    )


@pytest.mark.parametrize(
    ("loader", "message"),
    [
        ("{'y': x}", "sample 0: unknown input 'y' (valid: x); a sample is {name: array}"),
        ("(x, x)", "sample 0: unknown input 'input__1'*"),
        ("{'x': x.astype('float64')}", "sample 0: input 'x' is float64, the file takes float32"),
        ("{'x': x[:, :4]}", "sample 0: input 'x' has the shape (3, 4), the file takes (batch, 5)"),
    ],
)
def test_a_loader_that_does_not_fit_the_file(
    pytester: pytest.Pytester, source_error: Callable[..., str], loader: str, message: str
) -> None:
    linear(pytester.path / "model.onnx")
    pytester.makeconftest(
        f"""
        import numpy as np, pytest

        @pytest.fixture(scope="session")
        def nav_dataloader():
            x = np.ones((3, 5), "float32")
            return [{loader}]
        """
    )
    assert fits(source_error("--nav-model=model.onnx"), message)


def test_torchscript_without_a_signature_says_what_to_write(pytester: pytest.Pytester, nav: Nav) -> None:
    torch_files(pytester.path)
    args = "--nav-model=two.pt", "--nav-in-process"
    result = nav(*args, formats="")
    lines = result.outlines
    start = next(i for i, line in enumerate(lines) if "does not say what its inputs are" in line)
    assert lines[start].startswith(f"two.pt does not say what its inputs are. Write {pytester.path}/two.pt.yaml")
    text = lines[start + 1 : start + 7]
    assert text[:3] == [
        "inputs:",
        *(f"  {n}: {{shape: [-1, 3, 224, 224], dtype: float32}}" for n in ("x__0", "mask__1")),
    ]
    # What it says is what is understood, with the shapes of this model.
    end = next(i for i, line in enumerate(lines) if i > start and line.startswith("or say it"))
    written = "\n".join(lines[start + 1 : end])
    written = written.replace("x__0: {shape: [-1, 3, 224, 224]", "x__0: {shape: [-1, 5]")
    written = written.replace("mask__1: {shape: [-1, 3, 224, 224]", "mask__1: {shape: [-1, 1]")
    (pytester.path / "two.pt.yaml").write_text(written.partition("outputs:")[0])
    nav(*args, formats="torchscript").assert_outcomes(passed=2)


def test_torchscript_with_another_number_of_inputs(pytester: pytest.Pytester, source_error: Callable[..., str]) -> None:
    torch_files(pytester.path)
    message = source_error("--nav-model=two.pt", "--nav-inputs=x__0:-1,5:float32")
    assert message == "two.pt takes 2 inputs (x, mask), 1 are described: x__0"


def test_torchscript_that_does_not_take_what_is_said_of_it_names_where_it_is_said(
    pytester: pytest.Pytester, source_error: Callable[..., str]
) -> None:
    torch_files(pytester.path)
    said = "x__0:-1,6:float32 mask__1:-1,1:float32"
    assert source_error("--nav-model=two.pt", f"--nav-inputs={said}").endswith(
        f"; --nav-inputs says {said}: does the model take that?"
    )
    shapes = "x__0: {shape: [-1, 6], dtype: float32}, mask__1: {shape: [-1, 1], dtype: float32}"
    (pytester.path / "two.pt.yaml").write_text(f"inputs: {{{shapes}}}")
    assert source_error("--nav-model=two.pt").endswith(f"; two.pt.yaml says {said}: does the model take that?")


@pytest.mark.slow
def test_a_saved_model_without_a_signature_or_with_several(
    pytester: pytest.Pytester, nav: Nav, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "800")
    saved_linear(pytester)
    code = "from pytest_navigator import NavConfig, TensorFlowSavedModelConfig\n"
    result = nav("--nav-model=unsigned", "--nav-model=several", formats="", subprocess=True)
    without, several = (line.partition(" - ")[2] for line in result.outlines if line.startswith("FAILED "))
    assert "the SavedModel has no signature: save it with tf.saved_model.save(..., signatures=...)" in without
    assert fits(
        several, "the SavedModel has the signatures first, second, and none is 'serving_default': choose one, *"
    )
    pytester.makeconftest(code + several.partition("choose one, ")[2])
    nav("--nav-model=several", formats="", subprocess=True).assert_outcomes(passed=2)


@pytest.mark.parametrize(
    ("file", "package", "message"),
    [
        ("model.onnx", "onnxruntime", "model.onnx cannot be run: ONNX Runtime is not installed (pip install *[onnx])"),
        ("model.onnx", "onnx", "model.onnx cannot be read: onnx is not installed (pip install *[onnx])"),
        ("two.pt", "torch", "two.pt cannot be run: PyTorch is not installed (pip install *[torch])"),
        ("saved", "tensorflow", "saved cannot be run: TensorFlow is not installed (pip install *[tensorflow])"),
    ],
)
def test_a_package_that_is_not_installed_names_the_extra(
    pytester: pytest.Pytester,
    source_error: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
    file: str,
    package: str,
    message: str,
) -> None:
    from pytest_navigator.devices import requirements

    linear(pytester.path / "model.onnx")
    torch_files(pytester.path)
    pytester.mkdir("saved").joinpath("saved_model.pb").write_bytes(b"\x08\x01")
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == package else find(name, *rest))
    requirements._check.cache_clear()
    found = source_error(f"--nav-model={file}")
    requirements._check.cache_clear()
    assert fits(found, message)


def test_a_fixture_that_returns_no_path(pytester: pytest.Pytester, source_error: Callable[..., str]) -> None:
    pytester.makeconftest(
        """
        import pytest
        from pytest_navigator import NavConfig

        nav_config = NavConfig(framework="onnx")

        @pytest.fixture
        def nav_model():
            return 3
        """
    )
    message = source_error()
    assert message == "the model is int: the path of an ONNX file is needed, since the framework is 'onnx'"


def test_a_fixture_that_returns_another_file(pytester: pytest.Pytester, source_error: Callable[..., str]) -> None:
    pytester.makeconftest(
        """
        import pytest
        from pytest_navigator import NavConfig

        nav_config = NavConfig(framework="onnx")

        @pytest.fixture
        def nav_model():
            return "nowhere.onnx"
        """
    )
    assert fits(source_error(), "there is no file *nowhere.onnx")


def test_a_verify_test_that_sees_another_loader_is_a_usage_error(
    pytester: pytest.Pytester, usage_error: Callable[..., str]
) -> None:
    loader = "import pytest\n@pytest.fixture\ndef nav_dataloader(): return []\n"
    linear(pytester.path / "models" / "linear.onnx")
    (pytester.path / "models" / "conftest.py").write_text(loader)
    pytester.makepyfile(test_quality="def verify_it(nav_runner): pass")
    args = "--nav-model=models/linear.onnx", "test_quality.py"
    message = usage_error(*args)
    assert fits(
        message, "test_quality.py::verify_it does not see the nav_dataloader that models/linear.onnx::nav_model *"
    )
    (pytester.path / "models" / "conftest.py").write_text("")
    pytester.makepyfile(test_quality=f"{loader}def verify_it(nav_runner): pass")
    assert "does not see the nav_dataloader" in usage_error(*args)


def fits(text: str, pattern: str) -> bool:
    """Whether a text has the form of a pattern, in which only * and ? mean something."""
    return fnmatchcase(text, pattern.replace("[", "[[]"))

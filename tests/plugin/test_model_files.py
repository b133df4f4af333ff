"""A model file is checked with no code: `--nav-model=FILE`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
from blackbox import LINEAR, collected, outcomes, status
from model_files import linear, product, recurrent, saved_linear, texts, torch_files, with_external_data

from pytest_navigator.package.container.reader import open_package

if TYPE_CHECKING:
    from collections.abc import Callable

    Nav = Callable[..., pytest.RunResult]

FILE = "linear.onnx::nav_model::"
ONNX = {f"{FILE}test_source": "PASSED", f"{FILE}test_correctness[onnx-cpu]": "PASSED"}
PROFILES = {f"{FILE}test_profile[onnx-cpu-{batch}]": "PASSED" for batch in ("batch1", "batchmax")}
LOADER = """
import numpy as np, pytest

@pytest.fixture(scope="session")
def nav_dataloader():
    return [{"x": np.full((n, 5), n, "float32")} for n in (3, 6)]
"""
VERIFY = """
import numpy as np

def verify_linearity(nav_runner):
    x = np.ones((2, 5), "float32")
    y = nav_runner(x=x)["y"]
    assert isinstance(y, np.ndarray)
    zero = nav_runner.infer({"x": 0 * x})["y"]
    np.testing.assert_allclose(nav_runner(x=2 * x)["y"] - zero, 2 * (y - zero), rtol=1e-5)

def verify_the_source(nav_runner, nav_source_runner):
    x = np.ones((2, 5), "float32")
    np.testing.assert_array_equal(nav_runner(x=x)["y"], nav_source_runner(x=x)["y"])
"""


@pytest.fixture
def onnx_file(pytester: pytest.Pytester) -> None:
    linear(pytester.path / "linear.onnx")


@pytest.mark.usefixtures("onnx_file")
def test_an_onnx_file_is_checked_timed_and_packed_without_any_code(pytester: pytest.Pytester, nav: Nav) -> None:
    result = nav(
        "-v", "--nav-model=linear.onnx", "--nav-package=out.nav", "--nav-profile-seconds=0.2", formats="", profile=True
    )
    assert outcomes(result) == ONNX | PROFILES
    with open_package(pytester.path / "out.nav") as package:
        package.verify()
        assert package.complete
    said = status(pytester.path / "out.nav")
    assert said["models_status"]["onnx"]["runners_status"]["OnnxCPU"]["status"]["Correctness"] == "OK"
    assert said["input_metadata"]["metadata"][0]["shape"] == [-1, 5]
    assert said["pytest_navigator"]["suite"]["framework"] == "onnx"


@pytest.mark.usefixtures("onnx_file")
def test_the_file_is_the_only_argument_if_none_is_given_and_one_more_otherwise(
    pytester: pytest.Pytester, nav: Nav
) -> None:
    pytester.makepyfile(test_mine="def test_mine(): pass")
    alone = nav("-v", "--nav-model=linear.onnx", "--nav-in-process", formats="")
    assert outcomes(alone) == ONNX
    both = nav("-v", "--nav-model=linear.onnx", "test_mine.py", "--nav-in-process", formats="")
    assert outcomes(both) == ONNX | {"test_mine.py::test_mine": "PASSED"}
    everything = nav("-v", "--nav-model=linear.onnx", ".", "--nav-in-process", formats="")
    assert outcomes(everything) == outcomes(both)
    everything.assert_outcomes(passed=3)


def test_a_file_in_a_folder_that_pytest_skips_is_collected_all_the_same(pytester: pytest.Pytester, nav: Nav) -> None:
    linear(pytester.path / "build" / "linear.onnx")
    pytester.makepyfile(test_mine="def test_mine(): pass", **{"build/test_old": "def test_old(): pass"})
    result = nav("-v", "--nav-model=build/linear.onnx", ".", "--nav-in-process", formats="")
    mine = {"test_mine.py::test_mine": "PASSED"}
    assert outcomes(result) == {f"build/{nodeid}": word for nodeid, word in ONNX.items()} | mine


@pytest.mark.usefixtures("onnx_file")
def test_its_items_are_chosen_as_any_others(pytester: pytest.Pytester, nav: Nav) -> None:
    listed = nav("--collect-only", "-q", "--nav-model=linear.onnx", formats="", profile=True)
    assert collected(listed) == [*ONNX, *PROFILES]
    one = nav("-v", "--nav-model=linear.onnx", f"{FILE}test_correctness[onnx-cpu]", "--nav-in-process", formats="")
    assert outcomes(one) == {f"{FILE}test_correctness[onnx-cpu]": "PASSED"}
    some = nav("-v", "--nav-model=linear.onnx", "-k", "source", "--nav-in-process", formats="")
    assert outcomes(some) == {f"{FILE}test_source": "PASSED"}
    some.assert_outcomes(passed=1, deselected=1)


@pytest.mark.slow
@pytest.mark.usefixtures("onnx_file")
def test_it_runs_on_several_workers(nav: Nav) -> None:
    result = nav("-v", "-n2", "--nav-model=linear.onnx", formats="", subprocess=True)
    assert outcomes(result) == ONNX


def test_a_file_may_be_outside_of_the_rootdir(
    pytester: pytest.Pytester, nav: Nav, tmp_path_factory: pytest.TempPathFactory
) -> None:
    pytester.makeconftest(LOADER)  # the rootdir's conftest.py is everybody's
    path = linear(tmp_path_factory.mktemp("elsewhere") / "linear.onnx")
    result = nav("-v", f"--nav-model={path}", "--nav-package=out.nav", "--nav-in-process", formats="")
    assert outcomes(result) == {
        f"{path}::nav_model::test_source": "PASSED",
        f"{path}::nav_model::test_correctness[onnx-cpu]": "PASSED",
    }
    assert batches(pytester) == [3, 6]


@pytest.mark.usefixtures("onnx_file")
def test_random_data_of_the_smallest_optimal_and_largest_batch_stands_for_a_loader(
    pytester: pytest.Pytester, nav: Nav
) -> None:
    pytester.path.joinpath("nav.yaml").write_text("max_batch_size: 9\nvalue_ranges: {x: [5, 6]}\n")
    nav("--nav-model=linear.onnx", "--nav-config=nav.yaml", "--nav-package=out.nav", "--nav-in-process", formats="")
    assert batches(pytester) == [1, 5, 9] or batches(pytester)[0::2] == [1, 9]
    for sample in samples(pytester):
        assert sample["x"].min() >= 5
        assert sample["x"].max() <= 6


@pytest.mark.usefixtures("onnx_file")
def test_a_users_loader_replaces_the_random_data(pytester: pytest.Pytester, nav: Nav) -> None:
    pytester.makeconftest(LOADER)
    nav("--nav-model=linear.onnx", "--nav-package=out.nav", "--nav-in-process", formats="")
    assert batches(pytester) == [3, 6]


@pytest.mark.slow
@pytest.mark.usefixtures("onnx_file")
@pytest.mark.parametrize("named", [False, True], ids=["fixture", "option"])
def test_a_loader_that_is_called_replaces_the_random_data_in_every_worker(
    pytester: pytest.Pytester, nav: Nav, named: bool
) -> None:
    if named:  # the function that is named is the one that is called
        pytester.makepyfile(data="import numpy as np\n\ndef loader():\n" + LOADER.rpartition("():\n")[2])
    else:
        pytester.makeconftest(LOADER.replace("return [", "return lambda: ["))
    options = ["--nav-dataloader=data:loader"] if named else []
    result = nav("-v", "-n2", "--nav-model=linear.onnx", *options, "--nav-package=out.nav", formats="", subprocess=True)
    assert outcomes(result) == ONNX
    assert batches(pytester) == [3, 6]
    assert [set(sample["x"].ravel()) for sample in samples(pytester)] == [{3}, {6}]  # type: ignore[attr-defined]


@pytest.mark.usefixtures("onnx_file")
def test_a_conftests_own_model_is_not_tested_and_the_summary_says_so(pytester: pytest.Pytester, nav: Nav) -> None:
    pytester.makeconftest(LINEAR)  # its loader gives tensors of torch
    pytester.makepyfile(test_mine="def test_mine(): pass")
    result = nav("-v", "--nav-model=linear.onnx", ".", "--nav-package=out.nav", "--nav-in-process", formats="")
    assert outcomes(result) == ONNX | {"test_mine.py::test_mine": "PASSED"}
    result.stdout.fnmatch_lines(["note: nav_model of conftest.py was not tested: --nav-model=linear.onnx was"])
    assert batches(pytester) == [3, 3, 3, 3]


@pytest.mark.usefixtures("onnx_file")
@pytest.mark.parametrize("argument", ["test_quality.py", "."])
def test_verify_tests_see_the_files_model(pytester: pytest.Pytester, nav: Nav, argument: str) -> None:
    pytester.makeconftest(LINEAR)
    pytester.makepyfile(test_quality=VERIFY)
    result = nav("-v", "--nav-model=linear.onnx", argument, "--nav-package=out.nav", formats="")
    verify = {f"test_quality.py::{name}[onnx-cpu]": "PASSED" for name in ("verify_linearity", "verify_the_source")}
    assert outcomes(result) == ONNX | verify
    result.stdout.fnmatch_lines(["  onnx *OnnxCPU * ok *yes"])


def test_inputs_are_called_by_name_in_any_order_and_outputs_may_have_any_name(
    pytester: pytest.Pytester, nav: Nav
) -> None:
    product(pytester.path / "product.onnx")
    pytester.path.joinpath("nav.yaml").write_text("max_shapes: {ids: [4, 16]}\nmin_shapes: {ids: [1, 2]}\n")
    pytester.makepyfile(
        test_quality="""
        import numpy as np

        def verify_product(nav_runner):
            ids, mask = np.full((2, 3), 7), np.ones((2, 3), "float32")
            assert (nav_runner(mask=mask, ids=ids)["y:0"] == 7).all()
            assert (nav_runner(ids, mask)["y:0"] == 7).all()
        """
    )
    result = nav(
        "-v",
        "--nav-model=product.onnx",
        "--nav-config=nav.yaml",
        "test_quality.py",
        "--nav-in-process",
        "--nav-package=out.nav",
        formats="",
    )
    result.assert_outcomes(passed=3)
    shapes = [sample["ids"].shape for sample in samples(pytester)]
    assert shapes[0] == (1, 2)
    assert shapes[-1] == (4, 16)
    said = status(pytester.path / "out.nav")["input_metadata"]["metadata"]
    assert [(entry["name"], entry["shape"]) for entry in said] == [("ids", [-1, -1]), ("mask", [-1, -1])]


def test_external_data_comes_along(pytester: pytest.Pytester, nav: Nav) -> None:
    with_external_data(pytester.path / "linear.onnx", "weights.bin")
    result = nav("-v", "--nav-model=linear.onnx", "--nav-package=out.nav", "--nav-in-process", formats="")
    assert outcomes(result) == ONNX
    with open_package(pytester.path / "out.nav") as package:
        package.verify()
        package.extract(["onnx/model.onnx", "onnx/weights.bin"], pytester.path / "unpacked")
    onnxruntime = pytest.importorskip("onnxruntime")
    onnxruntime.InferenceSession(str(pytester.path / "unpacked/onnx/model.onnx"), providers=["CPUExecutionProvider"])


def test_a_fixed_batch_is_the_only_one_that_is_timed(pytester: pytest.Pytester, nav: Nav) -> None:
    linear(pytester.path / "linear.onnx", batch=4)
    args = "--nav-model=linear.onnx", "--nav-profile-seconds=0.2", "--nav-in-process", "--nav-package=out.nav"
    result = nav("-v", "-rs", *args, formats="", profile=True)
    timed = {f"{FILE}test_profile[onnx-cpu-batch1]": "SKIPPED", f"{FILE}test_profile[onnx-cpu-batchmax]": "PASSED"}
    assert outcomes(result) == ONNX | timed
    result.stdout.fnmatch_lines(["SKIPPED*the file takes batches of 4 only"])
    assert status(pytester.path / "out.nav")["input_metadata"]["metadata"][0]["shape"] == [4, 5]


def test_text_goes_in_and_comes_out(pytester: pytest.Pytester, nav: Nav) -> None:
    texts(pytester.path / "linear.onnx")
    (pytester.path / "nav.yaml").write_text("max_batch_size: 4")
    args = "--nav-model=linear.onnx", "--nav-config=nav.yaml", "--nav-profile-seconds=0.2", "--nav-in-process"
    result = nav("-v", *args, "--nav-package=out.nav", formats="", profile=True)
    assert outcomes(result) == ONNX | PROFILES
    assert status(pytester.path / "out.nav")["output_metadata"]["metadata"][0]["dtype"] == "str"
    with open_package(pytester.path / "out.nav") as package:
        package.extract(list(package.files()), pytester.path)
    inputs, outputs = (np.load(pytester.path / f"model_{kind}/batches/2.npz") for kind in ("input", "output"))
    np.testing.assert_array_equal(outputs["y"], np.char.add(inputs["a"], inputs["b"]))
    script = pytester.run(sys.executable, "onnx/reproduce_correctness-onnxcpu.py")
    assert script.ret == 0
    assert "FAILED" not in script.stdout.str()


def test_a_state_with_the_batch_on_another_axis_is_checked_as_it_is(pytester: pytest.Pytester, nav: Nav) -> None:
    recurrent(pytester.path / "linear.onnx")
    (pytester.path / "nav.yaml").write_text("min_shapes: {x: [1, 5]}\nmax_shapes: {x: [4, 5]}\n")
    args = "--nav-model=linear.onnx", "--nav-config=nav.yaml", "--nav-profile-seconds=0.2", "--nav-in-process"
    result = nav("-v", "-rs", *args, "--nav-package=out.nav", formats="", profile=True)
    timed = {f"{FILE}test_profile[onnx-cpu-batch1]": "SKIPPED", f"{FILE}test_profile[onnx-cpu-batchmax]": "PASSED"}
    assert outcomes(result) == ONNX | timed
    result.stdout.fnmatch_lines(["SKIPPED*the inputs cannot be cut into rows of a batch*"])
    said = status(pytester.path / "out.nav")
    assert [entry["shape"] for entry in said["input_metadata"]["metadata"]] == [[-1, 5], [2, -1, 5]]
    assert said["pytest_navigator"]["signature"]["batch_dim"] is None


@pytest.mark.usefixtures("onnx_file")
def test_several_files_are_several_suites(pytester: pytest.Pytester, nav: Nav) -> None:
    linear(pytester.path / "other.onnx", batch=1)
    models = "--nav-model=linear.onnx", "--nav-model=other.onnx"
    result = nav("-v", *models, "--nav-package={model}.nav", "--nav-in-process", formats="")
    assert outcomes(result) == ONNX | {nodeid.replace("linear", "other"): word for nodeid, word in ONNX.items()}
    assert {path.stem for path in pytester.path.glob("*.nav")} == {"linear", "other"}


@pytest.mark.usefixtures("onnx_file")
@pytest.mark.parametrize("annotation", ["", "-> Path"])
def test_a_fixture_may_return_the_path_of_a_file(pytester: pytest.Pytester, nav: Nav, annotation: str) -> None:
    pytester.makeconftest(
        f"""
        import pytest
        from pathlib import Path
        from pytest_navigator import NavConfig

        nav_config = NavConfig(framework="onnx")

        @pytest.fixture(scope="session")
        def nav_model() {annotation}:
            return {"Path" if annotation else "str"}("linear.onnx")
        """
    )
    result = nav("-v", "--nav-in-process", formats="")
    assert outcomes(result) == {nodeid.replace("linear.onnx", "conftest.py"): word for nodeid, word in ONNX.items()}


@pytest.mark.usefixtures("onnx_file")
def test_nav_config_of_a_conftest_without_a_model_is_the_files(pytester: pytest.Pytester, nav: Nav) -> None:
    pytester.makeconftest("from pytest_navigator import NavConfig\nnav_config = NavConfig(name='mine', sample_count=1)")
    result = nav("--nav-model=linear.onnx", "--nav-show-config", "--nav-in-process", formats="")
    result.stdout.fnmatch_lines(["sample_count * 1  (nav_config)", "mine (onnx)"])


def test_a_torchscript_file_is_described_beside_it(pytester: pytest.Pytester, nav: Nav) -> None:
    torch_files(pytester.path)
    pytester.path.joinpath("two.pt.yaml").write_text(
        "inputs:\n  x__0: {shape: [-1, 5], dtype: float32}\n  mask__1: {shape: [-1, 1], dtype: float32}\n"
    )
    pytester.makepyfile(
        test_quality="""
        import numpy as np

        def verify_mask(nav_runner):
            x = np.ones((2, 5), "float32")
            assert not nav_runner(mask__1=np.zeros((2, 1), "float32"), x__0=x)[0].any()
        """
    )
    result = nav("-v", "--nav-model=two.pt", "test_quality.py", formats="", subprocess=True)
    result.assert_outcomes(passed=6)
    result.stdout.fnmatch_lines_random(["two.pt::nav_model::test_convert?onnx? *", "*::verify_mask?onnx-cpu? *"])


def test_an_exported_program_is_converted_and_compared(pytester: pytest.Pytester, nav: Nav) -> None:
    torch_files(pytester.path)
    result = nav("-v", "--nav-model=two.pt2", "--nav-package=out.nav", formats="", subprocess=True)
    result.assert_outcomes(passed=4)
    said = status(pytester.path / "out.nav")
    assert [entry["shape"] for entry in said["input_metadata"]["metadata"]] == [[-1, 5], [-1, 1]]
    assert set(said["models_status"]) == {"torch-exportedprogram", "onnx"}


@pytest.mark.slow
def test_the_folder_of_a_saved_model_is_a_file_too(pytester: pytest.Pytester, nav: Nav) -> None:
    saved_linear(pytester)
    args = "--nav-model=saved", "saved/saved_model.pb::nav_model", "--nav-package=out.nav"
    result = nav("-v", *args, formats="", subprocess=True)
    result.assert_outcomes(passed=4)
    names = ("test_source", "test_convert?onnx?", "test_correctness?tf-savedmodel-cpu?", "test_correctness?onnx-cpu?")
    result.stdout.fnmatch_lines([f"saved/saved_model.pb::nav_model::{name} *" for name in names])
    assert status(pytester.path / "out.nav")["input_metadata"]["metadata"][0]["shape"] == [-1, 5]


@pytest.mark.real_processes
def test_collecting_a_file_imports_no_framework(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    linear(pytester.path / "linear.onnx")
    torch_files(pytester.path)
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makeconftest(
        "import sys\ndef pytest_terminal_summary(terminalreporter):\n"
        "    terminalreporter.write_line('imported: ' + ' '.join(n for n in sys.modules if '.' not in n))\n"
    )
    models = "--nav-model=linear.onnx", "--nav-model=two.pt", "--nav-model=two.pt2"
    result = pytester.runpytest_subprocess("-p", "pytest_navigator.plugin", "--collect-only", "-q", *models)
    assert len(collected(result)) > 10
    imported = set(result.outlines[-3].split()) | set(" ".join(result.outlines).partition("imported: ")[2].split())
    assert "pytest" in imported
    assert {"torch", "onnx", "onnxruntime", "tensorflow", "jax"} & imported == set()


def samples(pytester: pytest.Pytester) -> list[dict[str, object]]:
    """Return what the model was given, from the package out.nav."""
    import numpy as np

    folder = pytester.path / "unpacked_samples"
    with open_package(pytester.path / "out.nav") as package:
        names = sorted(n for n in package.files() if n.startswith("model_input/batches/"))
        package.extract(names, folder)
    return [dict(np.load(folder / name)) for name in names]


def batches(pytester: pytest.Pytester) -> list[int]:
    """Return the sizes of the batches, in the order of the loader."""
    return [len(sample["x"]) for sample in samples(pytester)]  # type: ignore[arg-type]

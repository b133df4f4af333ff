"""`Package.get_runner`: which one, and what it does."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

import pytest_navigator as nav
from pytest_navigator.backends.builtin import known
from pytest_navigator.core.variants import RunnerRecord
from pytest_navigator.errors import ConfigError, InputError, PackageError, StrategyError
from pytest_navigator.package.running.artifacts import runner_class
from tests.package.pair_project import PROJECT
from tests.package.recorded import profile

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OnnxCPU = known().runners()["OnnxCPU"].load()

FEED = {"x": np.ones((2, 5), np.float32), "bias": np.zeros((2, 7), np.float32)}


@pytest.fixture
def package(pair: Path) -> Iterator[nav.Package]:
    with nav.load(pair) as found:
        yield found


@pytest.fixture
def model() -> torch.nn.Module:
    names: dict[str, Any] = {}
    exec(PROJECT, names)
    return names["Pair"]().eval()


@pytest.mark.parametrize("key", ["torchscript-script", "torchscript-trace", "onnx"])
def test_every_format_gives_what_the_model_gives(package: nav.Package, model: torch.nn.Module, key: str) -> None:
    x, bias = torch.from_numpy(FEED["x"]), torch.from_numpy(FEED["bias"])
    expected = model(x, bias)["sum"].detach()
    with package.get_runner(key, runtime="cpu") as runner:
        by_name, by_place = runner(bias=bias, x=x), runner(x, bias)

    assert isinstance(by_name["parts"], tuple)
    torch.testing.assert_close(by_name["sum"], expected)
    torch.testing.assert_close(by_place["sum"], expected)


def test_inputs_may_have_the_names_that_model_navigator_gives_them(package: nav.Package) -> None:
    counted = {"input__0": FEED["bias"], "input__1": FEED["x"]}  # which sorts the keys of a mapping
    with package.get_runner("onnx") as runner:
        expected = runner.infer(FEED)
        found = [runner.infer(counted), runner.infer({"x": FEED["x"], "input__0": FEED["bias"]})]
        with pytest.raises(InputError, match=r"input 'x' is given twice: 'input__1' is Model Navigator's name of it"):
            runner.infer({**FEED, "input__1": FEED["x"]})
        with pytest.raises(InputError, match=r"unknown input 'input__2'"):
            runner.infer({**FEED, "input__2": FEED["x"]})

    assert all(np.array_equal(each["sum"], expected["sum"]) for each in found)


def test_a_runner_gives_and_takes_tensors_of_the_library_that_is_asked_for(package: nav.Package) -> None:
    tensors = {name: torch.from_numpy(array) for name, array in FEED.items()}
    with package.get_runner("onnx", return_type=nav.TensorType.TORCH) as runner:
        found = runner.infer({"x": FEED["x"], "bias": tensors["bias"]})
        called = runner(**tensors)
    with package.get_runner("onnx", return_type=nav.TensorType.NUMPY) as runner:
        expected = runner.infer(FEED)

    assert isinstance(found["sum"], torch.Tensor)
    assert torch.equal(found["sum"], called["sum"])
    assert np.array_equal(found["sum"].numpy(), expected["sum"])
    with pytest.raises(ConfigError, match="unknown return_type 'cupy'"):
        package.get_runner("onnx", return_type="cupy")


def test_a_runner_may_be_asked_for_by_its_device(package: nav.Package) -> None:
    assert package.get_runner(include_source=False, device="cpu").device == "cpu"
    with pytest.raises(PackageError, match="onnx has no runner on cuda"):
        package.get_runner("onnx", device=torch.device("cuda:0"))
    with pytest.raises(ConfigError, match=r"^device='tpu': "):
        package.get_runner("onnx", device="tpu")


def test_inputs_and_outputs_are_described(package: nav.Package) -> None:
    runner = package.get_runner("onnx")

    assert {name: spec.shape for name, spec in runner.input_metadata.items()} == {"x": (-1, 5), "bias": (-1, 7)}
    assert runner.output_metadata["sum"].dtype == "float32"
    assert (runner.name, runner.runtime, runner.device) == ("onnx/OnnxCPU", "cpu", "cpu")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"x": np.ones((2, 5))},
            r"float64, the model takes float32: convert it with astype, .* \.to\(torch\.float32\)$",
        ),
        ({"x": [[1.0]]}, "input 'x' is a list: infer takes numpy arrays by name"),
        ({"y": np.ones(3)}, "unknown input 'y'"),
        ({"x": np.ones(5, "float32")}, r"input 'x' has the shape \(5,\), the model takes \(-1, 5\); -1 is any size"),
        ({"x": np.ones((2, 4), "float32")}, r"input 'x' has the shape \(2, 4\), the model takes \(-1, 5\)"),
    ],
)
def test_a_wrong_input_is_told(package: nav.Package, change: dict[str, Any], message: str) -> None:
    with package.get_runner("onnx") as runner, pytest.raises(ConfigError, match=message):
        runner.infer({**FEED, **change})


def test_sizes_that_the_runtime_refuses_are_told(package: nav.Package) -> None:
    one, two = np.ones((1, 5), "float32"), np.ones((2, 7), "float32")
    trace, file = package.get_runner("torchscript-trace"), package.get_runner("onnx")
    with trace, pytest.raises(ConfigError, match=r"input 'bias' has 2 in axis 0 \(batch\), 'x' has 3"):
        trace.infer({"x": np.repeat(one, 3, 0), "bias": two})
    with file, pytest.raises(ConfigError, match=r"\(0, 5\): the runtime does not take an empty array"):
        file.infer({"x": one[:0], "bias": two})


@pytest.mark.parametrize("key", ["onnx", "torchscript-trace"])
def test_the_byte_order_of_an_array_does_not_matter(package: nav.Package, key: str) -> None:
    swapped = {name: array.astype(array.dtype.newbyteorder("S")) for name, array in FEED.items()}
    with package.get_runner(key, runtime="cpu") as runner:
        np.testing.assert_array_equal(runner.infer(swapped)["sum"], runner.infer(FEED)["sum"])


@pytest.mark.parametrize("feed", [None, [FEED["x"], FEED["bias"]]])
def test_arrays_without_names_are_told(package: nav.Package, feed: Any) -> None:
    with (
        package.get_runner("onnx") as runner,
        pytest.raises(ConfigError, match=r"infer takes arrays by name \(x, bias"),
    ):
        runner.infer(feed)


@pytest.mark.parametrize(
    ("args", "kwargs", "message"),
    [
        (1, {"y": 1}, "unknown input 'y'"),
        (0, {"x": 1, "bias": 1, "z": 1}, "unknown input 'z'"),
        (3, {}, "the call has 3 arrays, the model takes 2: x, bias$"),
        (0, {"x": 1}, "the call has 1 array, the model takes 2: x, bias; missing: bias$"),
        (0, {"bias": 1}, "the call has 1 array, the model takes 2: x, bias; missing: x$"),
        (0, {}, "the call has 0 arrays, the model takes 2: x, bias; missing: x, bias$"),
        (1, {}, "the call has 1 array, the model takes 2: x, bias; missing: bias$"),
        (1, {"x": 1}, r"input 'x' is given by its name and by its place \(in order: x, bias\)"),
    ],
)
def test_a_call_that_is_not_the_models_is_told(
    package: nav.Package, args: int, kwargs: dict[str, int], message: str
) -> None:
    x = torch.ones(1, 5)
    with package.get_runner("onnx") as runner, pytest.raises(ConfigError, match=message):
        runner(*[x] * args, **dict.fromkeys(kwargs, x))


def test_numbers_in_the_place_of_arrays_are_told_in_one_line(package: nav.Package) -> None:
    with (
        package.get_runner("onnx") as runner,
        pytest.raises(ConfigError, match=r"^there is no array in Call\(\[1\.0, 1") as told,
    ):
        runner([1.0] * 1000, [2.0])
    assert "sample" not in str(told.value)
    assert len(str(told.value)) < 200


def test_a_call_may_name_the_last_inputs(package: nav.Package) -> None:
    x, bias = torch.from_numpy(FEED["x"]), torch.from_numpy(FEED["bias"])
    with package.get_runner("onnx") as runner:
        torch.testing.assert_close(runner(x, bias=bias), runner(x, bias))


def test_a_missing_input_is_told(package: nav.Package) -> None:
    with package.get_runner("onnx") as runner, pytest.raises(ConfigError, match=r"input 'bias' is missing"):
        runner.infer({"x": FEED["x"]})


def test_a_runner_that_is_not_active_says_how_to_make_it_so(package: nav.Package) -> None:
    runner = package.get_runner("onnx")
    with pytest.raises(ConfigError, match=r"onnx/OnnxCPU is not active: use it as a context manager"):
        runner.infer(FEED)
    with runner:
        runner.activate()
    assert not runner.is_active
    runner.deactivate()


def test_polygraphy_compares_runners_of_a_package(package: nav.Package) -> None:
    from polygraphy.comparator import Comparator, SimpleCompareFunc

    runners = [package.get_runner("onnx"), package.get_runner("torchscript-trace")]
    found = Comparator.run(runners, data_loader=[FEED])

    assert [name for name, _ in found] == ["onnx/OnnxCPU", "torchscript-trace/TorchScriptCPU"]
    assert bool(Comparator.compare_accuracy(found, compare_func=SimpleCompareFunc(atol=1e-5)))
    assert all(result.runtime > 0 for _, results in found for result in results)


def test_polygraphy_makes_its_own_data_for_a_runner(package: nav.Package) -> None:
    from polygraphy.comparator import Comparator, DataLoader

    found = Comparator.run([package.get_runner("onnx")], data_loader=DataLoader(iterations=1))

    assert found[0][1][0]["sum"].shape == (1, 7)


def test_several_threads_may_call_one_runner(package: nav.Package) -> None:
    found: dict[int, float] = {}
    with package.get_runner("onnx") as runner:

        def call(number: int) -> None:
            feed = {"x": np.zeros((1, 5), np.float32), "bias": np.full((1, 7), number, np.float32)}
            found[number] = float(runner.infer(feed)["parts__1"][0, 0])

        threads = [threading.Thread(target=call, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert found == {number: float(number) for number in range(8)}


def test_the_live_model_is_given_to_the_package(package: nav.Package, model: torch.nn.Module) -> None:
    with pytest.raises(PackageError, match=r"torch is the live model, which no package holds.*package.load_source"):
        package.get_runner(nav.Format.TORCH)

    package.load_source(model)

    assert package.get_model("torch") is model
    with package.get_runner(nav.Format.TORCH) as runner:
        torch.testing.assert_close(runner(**FEED)["sum"], model(*map(torch.from_numpy, FEED.values()))["sum"].detach())


def test_without_a_format_the_live_model_is_chosen_only_where_it_was_given(
    package: nav.Package, model: torch.nn.Module
) -> None:
    others = [outcome for outcome in package.results.outcomes if (outcome.step, outcome.key) != ("profile", "torch")]
    fastest = profile("torch", "TorchCPU", "batch1", 1e-6, 1e9)
    package.results = replace(package.results, outcomes=(*others, fastest))
    assert package.get_best().key == "torch"
    assert package.get_runner().format != "torch"

    package.load_source(model)

    assert package.get_runner().format == "torch"


def test_another_model_is_refused(package: nav.Package, model: torch.nn.Module) -> None:
    with torch.no_grad():
        model.linear.weight.add_(1)
    with pytest.raises(PackageError, match=r"this .*Pair is another model than the package was made from"):
        package.load_source(model)


def test_strategies_choose_the_runner(package: nav.Package) -> None:
    best = package.get_best(nav.MinLatencyStrategy(), include_source=False)
    runner = package.get_runner(strategies=nav.MinLatencyStrategy(), include_source=False)
    assert runner.name == f"{best.key}/{best.runner}"

    chosen = nav.SelectedRuntimeStrategy("torchscript-trace", "TorchScriptCPU")
    assert package.get_runner(strategies=[chosen]).format == "torchscript-trace"
    assert package.get_runner("onnx", strategies=nav.MaxThroughputStrategy()).format == "onnx"


def test_that_only_the_live_model_has_figures_is_said_where_it_must_not_be_chosen(package: nav.Package) -> None:
    with pytest.raises(
        StrategyError, match=r"only the live model has figures \(torch on TorchCPU\), and include_source"
    ):
        package.get_runner("torch", strategies=nav.MinLatencyStrategy(), include_source=False)


def test_only_verified_runners_are_taken_when_asked(package: nav.Package) -> None:
    way_out = r".*package\.set_verified\(format, runtime\), or leave out verified_only"
    with pytest.raises(StrategyError, match=f"nothing that has figures is verified, {way_out}"):
        package.get_runner(strategies=nav.MinLatencyStrategy(), verified_only=True)
    with pytest.raises(PackageError, match=f"onnx on OnnxCPU is not verified: {way_out}"):
        package.get_runner("onnx", verified_only=True)

    package.set_verified("onnx", "cpu")

    assert package.get_runner(verified_only=True).name == "onnx/OnnxCPU"
    assert package.get_runner("onnx", verified_only=True).name == "onnx/OnnxCPU"


def test_a_format_that_was_left_out_says_by_what(pair: Path, tmp_path: Path) -> None:
    with nav.load(pair) as package:
        package.save(tmp_path / "out.nav")
    small = without_models(tmp_path / "out.nav", tmp_path / "small.nav")
    with nav.load(small) as package:
        assert package.get_status("onnx")
        for ask in (package.get_runner, package.get_model, package.get_path):
            with pytest.raises(PackageError, match=r"small\.nav: onnx was left out of it \(keep=none\)"):
                ask("onnx")


def test_a_missing_requirement_names_the_extra(package: nav.Package, monkeypatch: pytest.MonkeyPatch) -> None:
    from pytest_navigator.devices import requirements

    requirements._check.cache_clear()
    monkeypatch.setattr(requirements.importlib.util, "find_spec", lambda name: None)
    try:
        with pytest.raises(PackageError, match=r"onnx cannot run on OnnxCPU here: .*pytest-navigator\[onnx"):
            package.get_runner("onnx")
    finally:
        requirements._check.cache_clear()


def test_a_package_never_decides_what_is_imported() -> None:
    def record(name: str, path: str) -> RunnerRecord:
        return RunnerRecord(name, "cpu", "mine", "cpu", False, path)

    assert runner_class(record("OnnxCPU", "os:system")) is OnnxCPU
    assert runner_class(record("Mine", f"{__name__}:Mine")) is Mine
    for path in ("os:system", "antigravity:Mine", "/tmp/conftest.py:Mine", f"{__name__}:np"):
        with pytest.raises(PackageError, match="the runner Mine is not one of pytest-navigator's: import"):
            runner_class(record("Mine", path))


class Mine(OnnxCPU):
    """A runner of somebody else's module."""

    name = "Mine"


def without_models(path: Path, target: Path) -> Path:
    """Write the package again as `--nav-keep=none` would."""
    import yaml

    from pytest_navigator.package.container.writer import dump
    from pytest_navigator.package.query.selection import artifact_names
    from pytest_navigator.package.zip.archive import Member, write_archive

    with nav.load(path) as package:
        files = package._file.files()
        gone = [n for v in package.results.suite.variants for n in artifact_names(files, v.key)]
        members = [Member(name, package._file.read(name)) for name in files if name not in gone]
        status = yaml.safe_load(package._file.read("status.yaml"))
    status["pytest_navigator"]["left_out"] = dict.fromkeys(gone, "keep=none")
    status["pytest_navigator"]["files"] = {each.name: each.digest() for each in members}
    write_archive(target, [Member("status.yaml", dump(status)), *members], {})
    return target


def test_threads_and_options_of_a_session_are_the_callers(pair: Path) -> None:
    with nav.load(pair) as package:
        options = {"graph_optimization_level": "ORT_DISABLE_ALL"}
        with package.get_runner("onnx", threads=1, session_options=options) as runner:
            settings = runner._runner.settings()
        assert settings["intra_op_num_threads"] == 1
        assert settings["graph_optimization_level"] == "ORT_DISABLE_ALL"
        for keywords in ({"threads": 0}, {"threads": True}, {"session_options": ["x"]}):
            with pytest.raises(ConfigError, match=f"{next(iter(keywords))}="):
                package.get_runner("onnx", **keywords)
        with pytest.raises(ConfigError, match="threads and session_options are ONNX Runtime's"):
            package.get_runner("torchscript-trace", threads=1)


def test_an_input_that_is_wrong_is_a_value_error_too(pair: Path) -> None:
    with nav.load(pair) as package, package.get_runner("onnx") as runner:
        for call in (lambda: runner.infer({"y": 1}), lambda: runner(1, 2, 3), lambda: runner(object())):
            with pytest.raises(ValueError, match=r".") as raised:
                call()
            assert isinstance(raised.value, ConfigError)


def test_the_text_of_a_package_lists_the_models_in_it(pair: Path) -> None:
    with nav.load(pair) as package:
        assert repr(package) == "<package pair.nav: torchscript-script, torchscript-trace, onnx>"

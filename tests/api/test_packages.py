"""`nav.package`: what Model Navigator 0.14 does with a package."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
import yaml

import pytest_navigator as nav
from pytest_navigator.errors import ConfigError, InputError, PackageError

if TYPE_CHECKING:
    from pathlib import Path

QUICK = {"window_size": 5, "min_trials": 3, "max_trials": 3}


def loader(*sizes: int) -> list[dict[str, torch.Tensor]]:
    return [{"x": torch.ones(rows, 5), "bias": torch.ones(rows, 7)} for rows in sizes]


def test_every_sample_of_a_loader_is_measured_in_every_batch_size(pair: Path, tmp_path: Path) -> None:
    with nav.package.load(pair, workspace=tmp_path / "workspace") as package:
        found = nav.package.profile(package, loader(2, 3), runners=["OnnxCPU"], batch_sizes=[1, 4], **QUICK)
    found.to_file(tmp_path / "profile.yaml")

    written = yaml.safe_load((tmp_path / "profile.yaml").read_text(encoding="utf-8"))
    assert list(written["models"]) == ["onnx"]
    runner = written["models"]["onnx"]["runners"]["OnnxCPU"]
    assert runner["status"] == "OK"
    assert {i: [each["batch_size"] for each in own] for i, own in runner["detailed"].items()} == {0: [1, 4], 1: [1, 4]}
    assert all(
        each["p50_latency"] > 0 and each["throughput"] > 0 for own in runner["detailed"].values() for each in own
    )
    assert written["samples_data"][1]["x"] == {"shape": [3, 5], "dtype": "float32"}


def test_without_a_loader_the_packages_own_sample_is_measured_and_the_package_stays_as_it_is(pair: Path) -> None:
    with nav.load(pair) as package:
        before = package.get_best()
        found = nav.package.profile(package, target_formats=["onnx", "torchscript-trace"], **QUICK)
        assert package.get_best() == before
    assert set(found.models) == {"onnx", "torchscript-trace"}
    assert [each.batch_size for each in found.models["onnx"].runners["OnnxCPU"].detailed[0]] == [1, 3]


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"target_formats": ["onx"]}, "did you mean 'onnx'"),
        ({"runners": ["OnnxGPU"]}, "unknown runner 'OnnxGPU'"),
        ({"window": 3}, "did you mean 'window_size'"),
        ({"dataloader": nav.OptimizationProfile()}, r"nav\.profile takes it whole"),
    ],
)
def test_what_a_profile_cannot_be_of_is_told(pair: Path, said: dict[str, object], told: str) -> None:
    with nav.load(pair) as package, pytest.raises(ConfigError, match=told):
        nav.package.profile(package, **said)  # type: ignore[arg-type]


def test_the_sample_that_the_model_does_not_take_is_told_by_its_number(pair: Path) -> None:
    samples = [*loader(2), {"x": torch.ones(2, 5)}]
    with nav.load(pair) as package, pytest.raises(InputError, match=r"sample 1 of the dataloader: .*missing: bias"):
        nav.package.profile(package, samples)


def test_a_path_where_a_package_is_needed_is_told(pair: Path) -> None:
    with pytest.raises(ConfigError, match=r"nav\.package\.optimize\(.*: an open package is needed"):
        nav.package.optimize(str(pair))  # type: ignore[arg-type]


def test_a_package_is_optimized_for_what_is_asked_and_the_one_that_was_given_stays(pair: Path) -> None:
    seen: list[int] = []

    def verify(found: object, expected: object) -> bool:
        seen.append(len(list(zip(found, expected, strict=True))))  # type: ignore[call-overload]
        return True

    with nav.load(pair) as package:
        again = nav.package.optimize(
            package,
            target_formats=("onnx",),
            runners=("OnnxCPU",),
            optimization_profile=nav.OptimizationProfile(batch_sizes=[2], **QUICK),  # type: ignore[arg-type]
            verify_func=verify,
        )
        assert package.get_status("torchscript-trace")
        assert not package.is_verified("onnx", "cpu")
    with again:
        assert set(again.get_formats_performance()) == {"onnx"}
        assert (again.get_best().batch_size, again.is_verified("onnx", "cpu")) == (2, True)
        assert seen == [3]


def test_what_only_the_live_model_can_be_exported_to_is_told(pair: Path) -> None:
    with nav.load(pair) as package, pytest.raises(PackageError, match="onnx is exported from the live model"):
        nav.package.optimize(package, custom_configs=[nav.OnnxConfig(opset=17)])


def test_what_a_run_has_left_in_its_workspace_is_opened_as_a_package(tmp_path: Path) -> None:
    workspace = tmp_path / "workspace"
    profile = nav.OptimizationProfile(window_size=2, min_trials=1, max_trials=1, stabilization_windows=1)
    nav.python.optimize(lambda x: x * 2, [torch.ones(2, 3).numpy()], optimization_profile=profile, workspace=workspace)

    assert nav.package.load_from_workspace(workspace).get_formats_status() == {"python": True}
    with pytest.raises(ConfigError, match=r"load_from_workspace\(.*\): one model is needed, here none"):
        nav.package.load_from_workspace(tmp_path)


@pytest.mark.slow
def test_a_conversion_is_made_as_it_is_configured_now(tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")
    model = keras.Sequential([keras.layers.Input((5,)), keras.layers.Dense(3)])
    quick = nav.OptimizationProfile(batch_sizes=[1], **QUICK)  # type: ignore[arg-type]
    package = nav.tensorflow.optimize(
        model,
        [torch.ones(2, 5).numpy()],
        target_formats=("onnx",),
        runners=("OnnxCPU", "TensorFlowSavedModelCPU"),
        optimization_profile=quick,
        workspace=tmp_path / "workspace",
    )

    configured = nav.package.optimize(package, custom_configs=[nav.OnnxConfig(opset=15)])
    usual = nav.package.optimize(configured, defaults=True)

    opsets = [each.get_model("onnx").opset_import[0].version for each in (package, configured, usual)]
    assert opsets == [18, 15, 18]
    assert configured.get_status("onnx", runtime="cpu")

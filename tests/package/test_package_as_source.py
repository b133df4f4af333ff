"""What is read back from a package when it is the source of another run."""

from __future__ import annotations

from dataclasses import asdict, is_dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from pytest_navigator import NavConfig, OptimizationProfile, ProfilerConfig, cosine, plugin
from pytest_navigator.configuration.settings import resolve
from pytest_navigator.core.plain import plain
from pytest_navigator.core.steps import Status
from pytest_navigator.errors import ConfigError, PackageError
from pytest_navigator.formats.registry import Registry, built
from pytest_navigator.package.container.writer import pack
from pytest_navigator.package.planned import package_matrix
from pytest_navigator.package.source import read_package
from pytest_navigator.package.zip.archive import Member, write_archive
from tests.package.recorded import CASE, DIGEST, SIGNATURE, SOURCE, outcomes, verify

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CHECKED = replace(SOURCE, data={**SOURCE.data, "cases": [CASE]})


def as_recorded(value: Any) -> Any:
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else plain(value)


@pytest.fixture
def packed(workspace: Callable[..., Path], tmp_path: Path) -> Callable[..., Path]:
    """Write the package of a run: its source step, the values of its settings, and how it is packed."""

    def write(source: Any = CHECKED, settings: dict[str, Any] | None = None, more: Any = (), **options: Any) -> Path:
        given = {
            name: {"value": as_recorded(value), "origin": "nav_config"} for name, value in (settings or {}).items()
        }
        folder = workspace([source, *outcomes()[1:], *more], settings=given)
        return pack(folder, tmp_path / "out.nav", environment={}, **options)

    return write


@pytest.fixture
def registry() -> Registry:
    return built([plugin.pytest_nav_formats()], [], [plugin.pytest_nav_frameworks()])


def test_the_exported_formats_with_an_artifact_stand_for_the_source(packed: Callable[..., Path]) -> None:
    package = read_package(packed())
    assert [variant.key for variant in package.exported] == ["torchscript-trace", "onnx"]
    assert package.artifact(package.exported[1]) == ["onnx/model.onnx"]
    assert package.digests["onnx"] == DIGEST
    assert package.signature == SIGNATURE
    assert plain(package.cases) == [CASE]


def test_artifacts_and_samples_are_extracted_logs_and_scripts_are_not(
    packed: Callable[..., Path], tmp_path: Path
) -> None:
    read_package(packed()).extract(tmp_path / "suite")
    found = {path.relative_to(tmp_path / "suite").as_posix() for path in (tmp_path / "suite").rglob("*.*")}
    assert {"onnx/model.onnx", "torchscript-trace/model.pt", CASE["input"], CASE["output"]} <= found
    assert not any(name.endswith((".log", ".py", ".sh", ".yaml")) for name in found)


@pytest.mark.parametrize(
    "profile", [OptimizationProfile(window_size=7), ProfilerConfig(max_trials=4)], ids=["0.14", "0.3"]
)
def test_settings_that_make_the_checks_come_back(packed: Callable[..., Path], profile: Any) -> None:
    config = read_package(
        packed(
            settings={
                "atol": {"*": 1e-4, "onnx": {"output__0": 1e-3}},
                "batch_sizes": [1, 8],
                "seed": 3,
                "comparisons": {"output__0": cosine(0.99), "onnx": {"output__0": cosine(0.9)}},
                "optimization_profile": profile,
                "timeout": 5,
            }
        )
    ).config()
    assert config == NavConfig(
        name="linear",
        framework="torch",
        batch_dim=0,
        input_names=["input__0"],
        output_names=["output__0"],
        atol={"*": 1e-4, "onnx": {"output__0": 1e-3}},
        batch_sizes=[1, 8],
        seed=3,
        comparisons={"output__0": cosine(0.99), "onnx": {"output__0": cosine(0.9)}},
        optimization_profile=profile,
    )


@pytest.mark.parametrize(
    "profile", [{"batch_sizes": [1]}, as_recorded(OptimizationProfile()) | {"window_size": 0}], ids=str
)
def test_a_setting_that_no_profile_is_is_told_before_anything_runs(packed: Callable[..., Path], profile: Any) -> None:
    with pytest.raises(PackageError, match=r"its setting optimization_profile is .*, which no OptimizationProfile or"):
        read_package(packed(settings={"optimization_profile": profile}))


def test_a_function_of_the_users_is_lost_and_named(packed: Callable[..., Path]) -> None:
    package = read_package(packed(settings={"comparisons": {"a": "near", "onnx": {"a": "far", "b": cosine(0.9)}}}))
    assert package.lost() == ["a (by its function near)", "onnx: a (by its function far)"]
    assert package.config().comparisons == {"onnx": {"b": cosine(0.9)}}


def test_verifications_come_back_with_the_artifact_that_they_saw(packed: Callable[..., Path]) -> None:
    before = [verify("onnx", "OnnxCPU"), verify("onnx", "OnnxCUDA", status=Status.FAILED, name="b")]
    found = read_package(packed(more=before)).verifications
    assert [(o.id, o.status, o.digest, o.data) for o in found] == [(o.id, o.status, o.digest, o.data) for o in before]


@pytest.mark.parametrize(
    ("source", "options", "message"),
    [
        (replace(CHECKED, status=Status.FAILED, message="is in training mode"), {}, "not fit for checks: is in train"),
        (CHECKED, {"save_data": "none"}, "no model_output/batches/0.npz: the samples were left out"),
        (CHECKED, {"keep": "none"}, "holds no model that was exported from its torch source.*--nav-keep=all"),
        (SOURCE, {}, "its records, written by .*, are not those of this version: 'cases'"),
    ],
    ids=["failed", "no samples", "no models", "other records"],
)
def test_a_package_that_nothing_can_be_checked_with_is_refused(
    packed: Callable[..., Path], source: Any, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(PackageError, match=message):
        read_package(packed(source, **options))


def test_a_package_of_model_navigator_itself_is_refused(tmp_path: Path) -> None:
    status = {"format_version": "0.3.1", "model_navigator_version": "0.13.0"}
    write_archive(tmp_path / "own.nav", [Member("status.yaml", yaml.safe_dump(status).encode())], {})
    with pytest.raises(PackageError, match=r"a package of Model Navigator 0\.13\.0: .*--nav-model=onnx/model\.onnx"):
        read_package(tmp_path / "own.nav")


def test_exports_are_provided_and_conversions_are_made_again(packed: Callable[..., Path], registry: Registry) -> None:
    matrix = package_matrix(read_package(packed()), resolve({}, {}, NavConfig()), registry)
    assert matrix.provided == ("torchscript-trace", "onnx")
    assert "export" not in {step.step for step in matrix.steps()}
    assert [matrix.making(key).step for key in matrix.provided] == ["source", "source"]
    assert "TorchCPU" not in matrix.runners
    assert ("onnx", "OnnxCPU") in matrix.cells


def test_the_recorded_conversion_of_a_format_that_is_known_keeps_its_parameters(
    packed: Callable[..., Path], registry: Registry
) -> None:
    matrix = package_matrix(read_package(packed()), resolve({}, {}, NavConfig()), registry)
    assert [step.key for step in matrix.steps() if step.step == "convert"] == ["trt-fp16"]
    assert matrix.variants["trt-fp16"].parameters == {"precision": "fp16"}


def test_a_format_that_is_not_there_is_refused(packed: Callable[..., Path], registry: Registry) -> None:
    package = read_package(packed())
    settings = resolve({"formats": ("torchscript-script",)}, {}, NavConfig())
    with pytest.raises(ConfigError, match=r"'torchscript-script' is not in .*there are: torchscript-trace, onnx"):
        package_matrix(package, settings, registry)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("torchscript-script", "it is neither in the package nor made of what is in it"),
        ("trt-rtx-int8", "it is made only where it is named; write --nav-formats=torchscript,onnx,trt,trt-rtx-int8"),
        ("torch-cpu", "TorchCPU runs the live model, which a package does not have"),
    ],
)
def test_what_is_required_and_not_there_is_told_why(
    packed: Callable[..., Path], registry: Registry, name: str, reason: str
) -> None:
    settings = resolve({"require": (name,)}, {}, NavConfig())
    with pytest.raises(ConfigError) as caught:
        package_matrix(read_package(packed()), settings, registry)
    assert str(caught.value) == f"required format {name!r} is known, but not part of this run: {reason}"


def test_a_name_chooses_one_of_the_formats(packed: Callable[..., Path], registry: Registry) -> None:
    settings = resolve({"formats": ("onnx",)}, {}, NavConfig())
    assert package_matrix(read_package(packed()), settings, registry).provided == ("onnx",)

"""Names that a user of Model Navigator reaches for: each is here, or says what to write instead."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import pytest_navigator as nav
from pytest_navigator.api.instead import NAMES, OF_PACKAGE, OF_PYTRITON, OF_TRITON, TABLES
from pytest_navigator.errors import ConfigError

PAGE = (Path(__file__).parents[2] / "docs" / "coming-from-model-navigator.md").read_text(encoding="utf-8")
TABLE = dict(re.findall(r"^\| `([\w.]+)` \| (.*) \|$", PAGE.partition("<!-- instead -->")[2], re.MULTILINE))


def test_the_page_has_what_to_write_instead_of_every_name_that_is_not_here() -> None:
    assert {f"{where}.{name}": text for where, own in TABLES.items() for name, text in own.items()} == TABLE


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_is_not_here_says_what_to_write_instead_when_it_is_used(name: str) -> None:
    found = getattr(nav, name)

    with pytest.raises(ConfigError, match=re.escape(NAMES[name])) as told:
        found()
    with pytest.raises(ConfigError, match=re.escape(NAMES[name])):
        found.part  # noqa: B018
    assert "\n" not in str(told.value)
    assert not hasattr(found, "_repr_html_")  # what a notebook asks of what it shows


@pytest.mark.parametrize(
    ("where", "name", "text"),
    [("triton", *item) for item in OF_TRITON.items()] + [("pytriton", *item) for item in OF_PYTRITON.items()],
)
def test_so_does_what_a_namespace_has_not(where: str, name: str, text: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(text)):
        getattr(getattr(nav, where), name)()
    with pytest.raises(AttributeError, match="has no attribute 'anything'"):
        getattr(nav, where).anything  # noqa: B018


def test_so_does_what_a_package_has_not(pair: Path) -> None:
    with nav.load(pair) as package:
        for name, text in OF_PACKAGE.items():
            with pytest.raises(ConfigError, match=re.escape(text)):
                getattr(package, name)()
        with pytest.raises(AttributeError, match="has no attribute 'anything'"):
            package.anything  # noqa: B018


def test_a_name_of_nobody_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'anything'"):
        nav.anything  # type: ignore[attr-defined]  # noqa: B018


def test_earlier_and_later_places_of_a_name_lead_to_the_same() -> None:
    assert nav.api.config.TensorRTPrecision is nav.TensorRTPrecision
    assert nav.experimental.jax is nav.jax
    assert nav.torch.OptimizationProfile is nav.OptimizationProfile
    assert (nav.Framework.NONE, nav.DeviceKind.CUDA, nav.TensorType.TORCH) == ("python", "cuda", "torch")


@pytest.mark.parametrize(
    ("config", "name"),
    [
        (nav.OnnxConfig(opset=17), "Onnx"),
        (nav.TorchScriptConfig(jit_type="trace"), "TorchScript"),
        (nav.TorchConfig(autocast=True, autocast_dtype=nav.AutocastType.BF16), "Torch"),
        (nav.TensorRTConfig(precision=nav.TensorRTPrecision.FP16), "TensorRT"),
        (nav.TensorFlowTensorRTConfig(minimum_segment_size=5), "TensorFlowTensorRT"),
    ],
)
def test_a_configuration_has_its_name_and_its_defaults(config: nav.FormatConfig, name: str) -> None:
    assert config.name() == name
    assert config.defaults() == type(config)() != config


def test_configurations_are_made_from_dicts() -> None:
    windows = nav.ProfilerConfig.from_dict({"batch_sizes": [1, 8], "max_trials": 5})
    assert windows == nav.ProfilerConfig(batch_sizes=[1, 8], max_trials=5)
    assert nav.OnnxConfig.from_dict({"opset": 17}) == nav.OnnxConfig(opset=17)
    shapes = {"x": {"min": (1, 5), "opt": (4, 5), "max": (8, 5)}}
    assert nav.TensorRTProfile.from_dict(shapes) == nav.TensorRTProfile().add("x", (1, 5), (4, 5), (8, 5))
    with pytest.raises(ConfigError, match="did you mean 'opset'"):
        nav.OnnxConfig.from_dict({"opsett": 17})


def test_autocast_in_what_the_device_takes_is_the_default() -> None:
    config = nav.TorchConfig(autocast=True, autocast_dtype=nav.AutocastType.DEVICE)
    assert config == nav.TorchConfig(autocast=True)


def test_the_configuration_of_pipelines_is_told_at_its_own_path_too() -> None:
    from pytest_navigator.inplace.config import OptimizeConfig, inplace_config

    assert OptimizeConfig is nav.OptimizeConfig
    with pytest.raises(ConfigError, match=r"here: nav\.OptimizeConfig"):
        inplace_config.mode  # noqa: B018

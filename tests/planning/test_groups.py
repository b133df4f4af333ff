"""Names that stand for several formats: `--nav-formats=edge`, `cpu`, `all`."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import pytest

from pytest_navigator import FormatConfig, NavConfig, OnnxConfig, Variant
from pytest_navigator.backends.builtin import known
from pytest_navigator.configuration.settings import Settings, resolve
from pytest_navigator.devices import requirements
from pytest_navigator.errors import ConfigError
from pytest_navigator.formats.base import Format
from pytest_navigator.planning.building import build
from pytest_navigator.planning.filtered import check_cells
from pytest_navigator.planning.groups import ALL, GROUPS, left_out, members, ungrouped

if TYPE_CHECKING:
    from pytest_navigator.formats.registry import Registry

FRAMEWORKS = ("torch", "tensorflow", "jax", "onnx", "python")


def settings_of(formats: str, framework: str = "torch", registry: Registry | None = None, **config: object) -> Settings:
    flags = {"formats": tuple(formats.split(","))}
    return ungrouped(resolve(flags, {}, NavConfig(**config)), registry or known(), framework)


@pytest.fixture
def everything(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that has every library: none is imported to plan a run."""
    monkeypatch.setattr(requirements, "_installed", lambda name: True)


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_every_member_of_a_group_is_a_format_or_a_key_of_its_own_format(framework):
    for names in members(known(), framework).values():
        for name, form in names.items():
            assert name == form.name or name in form.on_request() or name in form_keys(form)


def form_keys(form: Format) -> set[str]:
    parent = Variant(form.parent or "", form.parent or "", None, "")
    return {variant.key for variant in form.variants(form.config(), [parent])}


def test_all_is_every_format_that_can_be_made_of_a_source_with_each_of_its_artifacts(everything):
    settings = settings_of(ALL)
    assert {form.name for form in known().formats.marked("torch")} - {"torch"} <= set(settings.formats)
    assert {"trt-int8", "openvino-fp16"} <= set(settings.formats)
    assert "stablehlo" not in settings.formats
    variants = build(settings, known(), "torch").variants
    assert {"onnx", "openvino", "openvino-fp16", "trt-rtx-fp16", "torchscript-trace"} <= set(variants)


def test_nothing_of_a_group_is_asked_for_by_name_but_what_is_named_beside_it(everything):
    assert build(settings_of("cpu"), known(), "torch").named == ()
    assert build(settings_of("onnx,cpu"), known(), "torch").named == ("onnx",)
    assert build(settings_of("cpu"), known(), "torch").xfail == {}


def test_a_group_keeps_what_nav_config_says_of_a_format(everything):
    flag, configured = {"formats": ("cpu",)}, NavConfig(formats=[OnnxConfig(opset=19)])
    matrix = build(ungrouped(resolve(flag, {}, configured), known(), "torch"), known(), "torch")
    assert matrix.variants["onnx"].parameters["opset"] == 19
    config = NavConfig(formats=["cpu", OnnxConfig(opset=19)])
    settings = ungrouped(resolve({}, {}, config), known(), "torch")
    assert build(settings, known(), "torch").named == ("onnx",)


def test_what_no_chosen_runtime_runs_is_left_out_of_a_group(everything):
    variants = build(settings_of(ALL, runtimes=["cpu"]), known(), "torch").variants
    assert "openvino" in variants
    assert not any(key.startswith("trt") for key in variants)


def test_what_is_not_installed_is_left_out_with_one_line_that_says_how_to_install_it(monkeypatch):
    monkeypatch.setattr(requirements, "_installed", lambda name: name != "openvino")
    settings = settings_of("cpu")
    assert "openvino" not in settings.formats
    assert "onnx" in settings.formats
    assert left_out(settings.lacking) == [
        "left out, not installed: openvino: openvino is not installed (pip install pytest-navigator[openvino])"
    ]


def test_a_member_that_needs_another_library_is_left_out_alone(monkeypatch):
    monkeypatch.setattr(requirements, "_installed", lambda name: name != "nncf")
    settings = settings_of("cpu")
    assert {"openvino", "openvino-bf16"} <= set(settings.formats)
    assert "openvino-int8" not in settings.formats
    assert left_out(settings.lacking) == [
        "left out, not installed: openvino-int8: nncf is not installed (pip install pytest-navigator[openvino])"
    ]


def test_what_another_python_makes_is_not_looked_for_here(monkeypatch):
    monkeypatch.setattr(requirements, "_installed", lambda name: name != "openvino")
    assert "openvino" in settings_of("cpu", interpreters={"openvino": "/venvs/openvino/bin/python"}).formats


def test_a_format_that_is_named_itself_is_never_left_out(monkeypatch):
    monkeypatch.setattr(requirements, "_installed", lambda name: name != "openvino")
    assert "openvino" in settings_of("openvino,cpu").formats


@pytest.mark.parametrize(
    ("formats", "framework", "message"),
    [
        ("egde", "torch", "unknown format of a torch model 'egde'; did you mean 'edge'?"),
        ("al", "torch", "did you mean 'all'?"),
        ("cpu", "python", r"formats = cpu \(--nav-formats\): nothing of the group 'cpu' can be made of a python model"),
    ],
)
def test_a_group_that_is_none_or_has_nothing_for_a_model_is_an_error(formats, framework, message):
    with pytest.raises(ConfigError, match=message):
        build(settings_of(formats, framework), known(), framework)


def test_a_group_of_which_nothing_is_installed_says_what_to_install(monkeypatch):
    monkeypatch.setattr(requirements, "_installed", lambda name: False)
    with pytest.raises(ConfigError, match=r"nothing of the group 'cpu' can be made here: .*onnx.* is not installed"):
        settings_of("cpu", "jax")


def test_a_group_of_which_nothing_is_left_by_the_other_settings_is_an_error(everything):
    settings = settings_of("cpu,torchscript", runtimes=["compile-cpu"])
    with pytest.raises(ConfigError, match=r"runs nothing that is made|nothing that is made is"):
        check_cells([("model", settings, build(settings, known(), "torch"))], known())


def own_format() -> type[Format]:
    """Return a format of somebody else's; one of a module would be known to all tests."""

    class OwnConfig(FormatConfig):
        pass

    class OwnFormat(Format):
        name = "own-npu"
        config = OwnConfig
        frameworks = ("torch",)
        parent = "onnx"
        groups: ClassVar = {"edge": ("own-npu",), "npu": ("own-npu",)}

        def variants(self, config, parents):
            return [Variant("own-npu", self.name, parent.key, "model.own") for parent in parents]

    return OwnFormat


def test_a_format_of_somebody_elses_joins_a_group_or_makes_one():
    registry = known().extended([own_format()])
    assert "own-npu" in settings_of("edge", registry=registry).formats
    matrix = build(settings_of("npu", registry=registry), registry, "torch")
    assert list(matrix.variants) == ["torch", "onnx", "own-npu"]
    assert {"own-npu"} <= set(members(registry, "torch")[ALL])


def test_a_first_run_makes_nothing_that_is_only_made_where_it_is_named():
    for framework in FRAMEWORKS:
        variants = build(resolve({}, {}, NavConfig()), known(), framework).variants
        new = ("onnx-quantized", "openvino", "executorch", "litert", "coreml", "aotinductor", "trt-rtx", "tf-trt")
        assert not {variant.format for variant in variants.values()} & set(new)
        named = {name for group in GROUPS for name in members(known(), framework)[group]} - {"onnx"}
        assert not named & set(variants)


def test_what_a_name_and_a_key_both_mean_is_made_once(everything):
    names = build(settings_of("trt,trt-fp16,openvino-bf16,openvino"), known(), "torch").variants
    assert {"trt-fp16", "trt-fp32", "openvino", "openvino-bf16"} <= set(names)

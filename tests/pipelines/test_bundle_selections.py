"""Which modules `nav.bundle.save` takes, and how much of each."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

import pytest_navigator as nav
from pytest_navigator.errors import ConfigError
from pytest_navigator.package.container.writer import pack
from pytest_navigator.pipelines.bundle_file import open_bundle
from pytest_navigator.pipelines.choice import Choice
from pytest_navigator.pipelines.fingerprint import fingerprint
from pytest_navigator.pipelines.store import default_store
from tests.package.recorded import workspace

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

torch = pytest.importorskip("torch")

__all__ = ["workspace"]

CHOSEN = Choice("", "", "", "k", "torchscript-trace", "TorchScriptCPU", "", (), 2.0, 1.5)


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workspace: Callable[..., Path]) -> dict[str, object]:
    """Two wrapped modules with packages in the store, and one that is kept eager."""
    monkeypatch.setenv("NAV_PIPELINES_DIR", str(tmp_path / "store"))
    made = pack(workspace(), tmp_path / "made.nav", environment={}).read_bytes()
    found = {}
    for width, name in enumerate(("unet", "vae.decoder", "safety"), 1):
        module = found[name] = nav.Module(torch.nn.Linear(width, width).eval(), name)
        choice = replace(CHOSEN, module=name, graph=name, fingerprint=fingerprint(module))
        if name == "safety":
            choice = replace(choice, format="", runner="", reason="not faster")
        path = tmp_path / f"{name}.nav"
        path.write_bytes(made)
        default_store().put([choice], {name: path})
    return found


@pytest.fixture
def saved(tmp_path: Path) -> Callable[..., dict[str, set[str]]]:
    """Return a function that saves a bundle: module -> the first folders of the files in its package."""

    def save(*arguments: object, **keywords: object) -> dict[str, set[str]]:
        nav.bundle.save(tmp_path / "out.nav", *arguments, **keywords)
        found = {}
        with open_bundle(tmp_path / "out.nav") as bundle:
            for choice in bundle.manifest.choices:
                found[choice.module] = set()
                if choice.package:
                    with bundle.package(choice.package) as package:
                        found[choice.module] = {name.partition("/")[0] for name in package.files() if "." in name}
        return found

    return save


SAMPLES = {"model_input", "model_output"}


def test_the_best_runners_are_all_that_is_saved_unless_more_is_asked_for(modules, saved, tmp_path) -> None:
    every = saved()
    assert every.keys() == modules.keys()
    assert "torchscript-trace" in every["unet"]
    assert not every["unet"] & SAMPLES
    assert every["safety"] == set()
    with open_bundle(tmp_path / "out.nav") as bundle, bundle.package(bundle.manifest.choices[0].package) as package:
        assert "onnx/model.onnx" not in package.files()
        assert package.details["left_out"]["onnx/model.onnx"] == "keep=best"


def test_a_strategy_chooses_the_runner_anew(modules, saved, tmp_path) -> None:
    saved(nav.bundle.BestRunnersSelection(nav.MaxThroughputStrategy()))
    with open_bundle(tmp_path / "out.nav") as bundle:
        (choice,) = (choice for choice in bundle.manifest.choices if choice.module == "unet")
    assert (choice.format, choice.runner, choice.chosen_ms) == ("torchscript-trace", "TorchScriptCPU", 3.0)


@pytest.mark.parametrize(("slower", "chosen"), [(False, ""), (True, "torchscript-trace")])
def test_a_strategy_overrules_an_eager_verdict_of_speed_alone(modules, saved, tmp_path, slower, chosen) -> None:
    store = default_store()
    (eager,) = store.choices_of(modules["safety"])
    store.put([replace(eager, slower=slower)], {})
    saved(nav.bundle.BestRunnersSelection(nav.MaxThroughputStrategy()))
    with open_bundle(tmp_path / "out.nav") as bundle:
        (choice,) = (choice for choice in bundle.manifest.choices if choice.module == "safety")
    assert (choice.format, choice.slower, bool(choice.package)) == (chosen, False, bool(chosen))


def test_whole_packages_of_all_wrapped_modules(modules, saved) -> None:
    every = saved(nav.bundle.RegisteredModulesSelection())
    assert every.keys() == modules.keys()
    assert {"onnx", "torchscript-trace", *SAMPLES} <= every["unet"]


def test_modules_by_name(modules, saved) -> None:
    assert saved(nav.bundle.ModulesByNameSelection(["unet"])).keys() == {"unet"}
    with pytest.raises(ConfigError, match=r"unknown module 'unte'; did you mean 'unet'\?"):
        saved(nav.bundle.ModulesByNameSelection(["unte"]))


def test_patterns_leave_modules_out(modules, saved) -> None:
    assert saved(exclude_patterns=["vae.*"]).keys() == {"unet", "safety"}
    assert saved(include_patterns=["vae.*", "safety"], exclude_patterns=["s*"]).keys() == {"vae.decoder"}
    with pytest.raises(ConfigError, match="nothing goes into the bundle"):
        saved(include_patterns=["nothing"])


def test_all_modules_are_those_of_the_store_whatever_is_wrapped(modules, saved) -> None:
    from pytest_navigator.pipelines import registry

    registry.forget()
    assert saved(nav.bundle.AllModulesSelection()).keys() == modules.keys()
    with pytest.raises(ConfigError, match="no module is wrapped"):
        saved()


def test_a_module_that_was_retrained_is_not_optimized_any_more(modules, saved) -> None:
    with torch.no_grad():
        modules["unet"].weight += 1
    with pytest.raises(ConfigError, match=r"the module 'unet' is not optimized: .* has nothing of these weights"):
        saved()
    assert saved(exclude_patterns=["unet"]).keys() == {"vae.decoder", "safety"}


def test_what_is_no_selection_is_told(modules, saved) -> None:
    with pytest.raises(ConfigError, match="modules='unet': a selection is needed"):
        saved("unet")


def test_another_machine_finds_what_was_saved(modules, saved, tmp_path, monkeypatch) -> None:
    saved(tags=["a", "b"])
    monkeypatch.setenv("NAV_PIPELINES_DIR", str(tmp_path / "other"))
    nav.bundle.load(tmp_path / "out.nav", tags=["b", "a"])
    (choice,) = default_store().choices_of(modules["unet"])
    with nav.load(default_store().package(choice)) as package:
        assert package.get_formats_status()["torchscript-trace"]

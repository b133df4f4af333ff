"""Stored formats swapped in: found by weights and code, taken out again, and never those of other weights."""

from __future__ import annotations

import contextlib
import functools
import gc
import shutil
import weakref
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import pytest_navigator as nav
from pytest_navigator.errors import ConfigError, SourceError
from pytest_navigator.pipelines import loading, registry
from pytest_navigator.pipelines.choice import Choice
from pytest_navigator.pipelines.fingerprint import fingerprint
from pytest_navigator.pipelines.store import default_store
from pytest_navigator.pipelines.structures import structure_of
from pytest_navigator.samples.structure import Call
from tests.once import once
from tests.pipelines.pipelines import Encoded, Encoder

X = torch.ones(2, 3, 4)


def encoder_() -> Encoder:
    torch.manual_seed(0)
    return Encoder().eval()


@pytest.fixture(scope="session")
def package(request, tmp_path_factory) -> Path:
    def make(folder: Path) -> None:
        nav.torch.export(
            encoder_(),
            [Call(X, scale=1.0), Call(torch.ones(4, 3, 4), scale=1.0)],
            target_formats=("torchscript",),
            run_profiling=False,
            workdir=folder / "run",
        ).save(folder / "encoder.nav")

    return once(request.config, tmp_path_factory, "encoder_package", make) / "encoder.nav"


@pytest.fixture
def encoder() -> Encoder:
    return nav.Module(encoder_(), "encoder")


@pytest.fixture
def choice(encoder: Encoder) -> Choice:
    sizes = (((2, 4), (3, 3), (4, 4)),)
    print_, key = fingerprint(encoder), structure_of(Call(X, scale=1.0))
    return Choice("encoder", "encoder", print_, key, "torchscript-trace", "TorchScriptCPU", "2x as fast", sizes=sizes)


@pytest.fixture(autouse=True)
def _unloaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAV_PIPELINES_DIR", str(tmp_path / "store"))


@pytest.fixture
def stored(package: Path, choice: Choice, tmp_path: Path) -> Choice:
    default_store().put([choice], {"encoder": shutil.copy(package, tmp_path / "a.nav")})
    return choice


@pytest.mark.usefixtures("stored")
def test_a_stored_format_runs_until_it_is_unloaded(encoder: Encoder) -> None:
    expected = encoder(X)
    loaded = nav.load_optimized()
    out = encoder(X)
    assert type(out) is Encoded
    torch.testing.assert_close(out.hidden, expected.hidden)
    assert not out.hidden.requires_grad
    assert str(loaded).splitlines() == [
        "module   runs                              because",
        "encoder  torchscript-trace/TorchScriptCPU  2x as fast",
    ]
    assert loaded.swapped["encoder"].calls == 1
    nav.unload()
    assert "forward" not in vars(encoder)
    assert encoder(X).hidden.requires_grad


@pytest.mark.usefixtures("stored")
def test_what_is_loaded_under_another_name_is_measured_under_it_too(encoder: Encoder) -> None:
    registry.forget()
    nav.Module(encoder, "renamed")
    assert [each.graph for each in nav.load_optimized().graphs] == ["renamed"]
    ways = nav.profile(lambda x: encoder(x), [(2, X)], report=None, window_size=3, seconds=0.3).ways
    assert [way.title for way in ways] == ["eager", "torchscript-trace/TorchScriptCPU", "best"]
    assert ways[2].modules == {"renamed": "torchscript-trace/TorchScriptCPU"}


@pytest.mark.usefixtures("stored")
def test_optimize_unloads_what_is_swapped_in(encoder: Encoder) -> None:
    nav.load_optimized()
    with pytest.raises(SourceError, match="the dataloader is empty"):
        nav.optimize(encoder, [])
    assert (list(loading.loaded()), "forward" in vars(encoder)) == ([], False)


@pytest.mark.usefixtures("stored")
def test_calls_that_run_eagerly_are_in_what_is_printed(encoder: Encoder) -> None:
    loaded = nav.load_optimized()
    with pytest.warns(UserWarning, match="encoder ran eagerly: axis 0 of 'x' is not 2 to 4") as warned:
        encoder(torch.ones(7, 3, 4))
    assert {Path(each.filename) for each in warned} == {Path(__file__)}
    assert str(loaded).endswith("encoder ran eagerly 1 time: axis 0 of 'x' is not 2 to 4, as it was recorded")


@pytest.mark.usefixtures("stored")
def test_other_weights_are_never_given_the_stored_format(encoder: Encoder) -> None:
    with torch.no_grad():
        encoder.linear.weight.add_(1)
    with pytest.raises(ConfigError, match=r"nothing is stored in .* for the weights and code of encoder: run"):
        nav.load_optimized()
    assert "forward" not in vars(encoder)


@pytest.mark.usefixtures("stored")
def test_weights_that_change_after_loading_are_run_by_the_module_itself(encoder: Encoder) -> None:
    loaded = nav.load_optimized()
    encoder(X)
    with torch.no_grad():
        encoder.linear.weight.add_(0)  # written to, and the same
    encoder(X)
    assert not loaded.eager
    with torch.no_grad():
        encoder.linear.weight.add_(1)
    with pytest.warns(UserWarning, match="encoder ran eagerly: its weights were changed"):
        out = encoder(X)
    torch.testing.assert_close(out.hidden, encoder.linear(X))


@pytest.mark.usefixtures("stored")
def test_a_forward_that_was_put_over_a_format_is_a_part_of_the_code(encoder: Encoder) -> None:
    nav.load_optimized()
    inner = encoder.forward
    encoder.forward = functools.partial(inner)
    with torch.no_grad():
        encoder(X)
    with pytest.raises(ConfigError, match="nothing is stored in"):
        nav.load_optimized()
    nav.unload()
    assert isinstance(encoder.forward, functools.partial)
    assert encoder(X).hidden.requires_grad


@pytest.mark.usefixtures("stored")
def test_a_module_of_equal_weights_gets_it_whatever_its_name() -> None:
    other = nav.Module(encoder_(), "other")
    nav.load_optimized()
    assert not other(X).hidden.requires_grad


@pytest.mark.usefixtures("stored")
def test_a_module_without_stored_formats_is_named_and_stays(encoder: Encoder) -> None:
    other = nav.Module(torch.nn.Linear(1, 1), "other")
    with pytest.warns(UserWarning, match="other: nothing is stored for its weights and code: nav.optimize") as warned:
        loaded = nav.load_optimized()
    assert {Path(each.filename) for each in warned} == {Path(__file__)}
    assert [each.title for each in loaded.graphs] == ["torchscript-trace/TorchScriptCPU", "eager"]
    assert "forward" not in vars(other)
    assert "forward" in vars(encoder)


def test_a_module_that_was_kept_eager_stays_with_its_reason(encoder: Encoder, choice: Choice) -> None:
    default_store().put([replace(choice, format="", runner="", reason="no format is faster")], {})
    loaded = nav.load_optimized()
    assert (loaded.graphs[0].title, loaded.graphs[0].reason) == ("eager", "no format is faster")
    assert "forward" not in vars(encoder)


@pytest.mark.parametrize("slower", [False, True])
def test_a_strategy_overrules_that_no_format_is_faster_and_nothing_else(
    encoder: Encoder, choice: Choice, package: Path, tmp_path: Path, slower: bool
) -> None:
    eager = replace(choice, format="", runner="", reason="why", slower=slower)
    default_store().put([eager], {"encoder": shutil.copy(package, tmp_path / "a.nav")})
    told = pytest.warns(UserWarning, match="a format cannot be loaded: StrategyError: there are no figures")
    with told if slower else contextlib.nullcontext():
        loaded = nav.load_optimized(nav.MaxThroughputStrategy())
    assert (loaded.graphs[0].title, loaded.graphs[0].reason == "why") == ("eager", not slower)


@pytest.mark.parametrize("wrong", ["x", [], [nav.MaxThroughputStrategy(), 1]])
@pytest.mark.usefixtures("stored")
def test_wrong_strategies_are_an_error_before_anything_is_looked_up(encoder: Encoder, wrong: object) -> None:
    with pytest.raises(ConfigError, match="strategies="):
        nav.load_optimized(strategies=wrong)
    with pytest.raises(ConfigError, match="strategies="):
        nav.bundle.BestRunnersSelection(wrong)
    assert "forward" not in vars(encoder)


@pytest.mark.usefixtures("stored")
def test_a_format_that_cannot_be_loaded_leaves_the_module_as_it_is(encoder: Encoder) -> None:
    with pytest.warns(UserWarning, match="encoder: torchscript-trace on TorchScriptCPU cannot be loaded: "):
        loaded = nav.load_optimized(device="cuda")
    assert loaded.graphs[0].title == "eager"
    assert "forward" not in vars(encoder)


@pytest.mark.usefixtures("stored")
def test_loading_twice_and_unloading_twice_is_as_once(encoder: Encoder) -> None:
    nav.load_optimized()
    nav.load_optimized()
    nav.unload()
    nav.unload()
    assert "forward" not in vars(encoder)


@pytest.mark.usefixtures("stored")
def test_a_loaded_format_goes_with_its_module(encoder: Encoder) -> None:
    module = nav.Module(encoder_(), "gone")
    nav.load_optimized()
    gone = weakref.ref(module)
    del module
    gc.collect()
    assert gone() is None


@pytest.mark.usefixtures("stored")
def test_threads_call_a_loaded_format(encoder: Encoder) -> None:
    inputs = [torch.full((2, 3, 4), float(i)) for i in range(8)]
    with torch.no_grad():
        expected = [encoder(x).hidden for x in inputs]
        loaded = nav.load_optimized()
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(lambda x: encoder(x).hidden, inputs * 10))
    torch.testing.assert_close(found, expected * 10)
    assert not loaded.eager


def test_without_a_wrapped_module_is_told_what_to_do() -> None:
    with pytest.raises(ConfigError, match=r"no module is wrapped: pipeline\.unet = nav"):
        nav.load_optimized()

"""`nav.optimize` of small pipelines: what is chosen, what stays eager and why, and what is kept."""

from __future__ import annotations

import itertools
import re
import time
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
import torch

import pytest_navigator as nav
from pytest_navigator.errors import ConfigError, SourceError
from pytest_navigator.pipelines.registry import registered
from pytest_navigator.pipelines.sharing import in_common, outermost_first
from pytest_navigator.pipelines.store import default_store

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

COUNT = itertools.count()
SLOW = 0.004  # s; a format has no sleep in it, and so is faster


@dataclass
class Encoded:
    hidden: torch.Tensor
    mask: torch.Tensor | None = None


class Encoder(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(4, 8)

    def forward(self, x, mask=None):
        time.sleep(SLOW)
        return Encoded(torch.relu(self.linear(x)))


class Unet(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(8, 8)

    def forward(self, sample, timestep, hidden):
        time.sleep(SLOW)
        return (sample + self.linear(hidden) * timestep * 0.01,)


class Pipeline:
    """A loop with a number that changes, at twice the pipeline's batch, as classifier-free guidance has it."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        self.encoder, self.unet = Encoder().eval(), Unet().eval()

    def __call__(self, x: torch.Tensor, steps: int = 3) -> torch.Tensor:
        with torch.no_grad():
            hidden = self.encoder(x).hidden
            sample = torch.randn(len(x), 8)
            for step in range(steps):
                (both,) = self.unet(torch.cat([sample, sample]), step, hidden=torch.cat([hidden, hidden]))
                first, second = both.chunk(2)
                sample = first + 2 * (second - first)
            return sample


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NAV_PIPELINES_DIR", str(tmp_path / "store"))
    return tmp_path / "store"


def config(**more) -> nav.OptimizeConfig:
    profile = nav.OptimizationProfile(window_size=3, min_trials=1, max_trials=1, stabilization_windows=1)
    return nav.OptimizeConfig(
        target_formats=("onnx",), runners=("TorchCPU", "OnnxCPU"), optimization_profile=profile, **more
    )


def batch(rows: int) -> tuple[int, torch.Tensor]:
    return rows, torch.rand(rows, 4, generator=torch.Generator().manual_seed(rows))


@pytest.mark.timeout(200)
def test_the_modules_of_a_pipeline_get_formats_that_are_kept_and_used_again(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pipeline = Pipeline()
    nav.wrap(pipeline, ["encoder", "unet"])

    found = nav.optimize(pipeline, [batch(2), batch(2)], config())

    assert found.chosen == {"encoder": "onnx/OnnxCPU", "unet": "onnx/OnnxCPU"}
    encoder, unet = found.choices
    assert (encoder.varied, unet.varied) == ((), ("1",))
    assert (unet.sizes, found.calls) == ((((4, 8), (8, 8)), (), ((4, 8), (8, 8))), {"encoder": 2, "unet": 6})
    shown = capsys.readouterr().out
    assert "unet::nav_model::test_correctness[onnx-cpu] PASSED" in shown
    assert "\n".join(found.summary()) in shown
    assert "forward" not in vars(pipeline.unet)
    assert default_store().choices(unet.fingerprint) == [unet]
    with nav.load(default_store().package(unet)) as package:
        shapes = {spec.name: (spec.shape, spec.batched) for spec in package.results.signature.inputs}
    assert shapes == {"sample": ((-1, 8), True), "timestep": ((), False), "hidden": ((-1, 8), True)}

    with torch.no_grad():
        expected = pipeline.encoder(batch(3)[1])
    loaded = nav.load_optimized()
    encoded = pipeline.encoder(batch(3)[1])
    assert (type(encoded), encoded.mask, loaded.eager) == (Encoded, None, {})
    torch.testing.assert_close(encoded.hidden, expected.hidden)
    again = nav.optimize(pipeline, [batch(2), batch(2)], config())

    assert [each.package for each in again.choices] == [each.package for each in found.choices]
    assert "nav_model::test" not in capsys.readouterr().out
    assert "forward" not in vars(pipeline.encoder)


@pytest.mark.slow
@pytest.mark.timeout(200)
def test_what_the_users_function_refuses_goes_back_to_eager() -> None:
    pipeline = Pipeline()
    nav.wrap(pipeline, ["encoder"])
    asked: list[int] = []

    def verify(found: list[torch.Tensor], expected: list[torch.Tensor]) -> bool:
        asked.append(len(found))
        return len(asked) == 1  # of the pipeline as it is, which is asked first

    refused = nav.optimize(pipeline, [batch(1)], config(verify_func=verify))

    assert refused.eager == {"encoder": "verify_func returned False, not True"}
    assert (asked, refused.chosen) == ([1, 1], {})


@pytest.mark.slow
@pytest.mark.timeout(200)
def test_a_module_can_have_a_configuration_of_its_own_which_judges_its_formats() -> None:
    pipeline = Pipeline()
    nav.wrap(pipeline, ["encoder"])
    given: list[set[str]] = []

    def verify(found, expected) -> bool:
        given.extend(set(each) for each in found)
        return False

    pipeline.encoder.optimize_config = config(verify_func=verify)

    found = nav.optimize(pipeline, [batch(1)], nav.OptimizeConfig(target_formats=("torchscript",)))

    assert found.eager["encoder"] == "no format of it is right: onnx: verify verify_func returned False, not True"
    assert given[0] == {"hidden"}


@pytest.mark.slow
@pytest.mark.timeout(200)
def test_what_was_made_before_an_interruption_is_kept_and_used_again(capsys: pytest.CaptureFixture[str]) -> None:
    encoder = nav.Module(Encoder().eval(), "encoder")
    runs = itertools.count(1)

    def pipeline(x: torch.Tensor) -> torch.Tensor:
        if next(runs) == 4:  # the first one with formats, after those that are recorded, with twice the rows and eager
            raise KeyboardInterrupt
        with torch.no_grad():
            return encoder(x).hidden

    with pytest.raises(KeyboardInterrupt):
        nav.optimize(pipeline, [batch(1)], config())
    assert "forward" not in vars(encoder)
    assert "nav.optimize was interrupted; run it again" in str(nav.load_optimized())
    capsys.readouterr()

    assert nav.optimize(pipeline, [batch(1)], config()).chosen == {"encoder": "onnx/OnnxCPU"}
    assert "nav_model::test" not in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.timeout(200)
def test_a_format_that_no_call_in_the_pipeline_runs_is_not_chosen() -> None:
    pipeline = Pipeline()
    nav.wrap(pipeline, ["encoder"])

    found = nav.optimize(
        lambda x: pipeline.encoder(x * pipeline.unet.linear.weight[0, :4]).hidden, [batch(1)], config()
    )

    assert found.eager["encoder"] == (
        "none of its calls in the pipeline ran the format: an argument needs gradients, which no format computes"
    )


@pytest.mark.slow
@pytest.mark.timeout(200)
def test_what_is_not_faster_in_the_pipeline_stays_eager() -> None:
    class Quick(torch.nn.Module):
        def forward(self, x):
            return x + 1

    module = nav.Module(Quick().eval(), "quick")

    found = nav.optimize(module, [batch(1)], config())

    assert "faster" in found.eager["quick"]
    assert found.choices[0].slower
    assert [each.title for each in nav.load_optimized().graphs] == ["eager"]
    (own,) = nav.load_optimized(strategies=[nav.MaxThroughputStrategy()]).graphs
    assert (own.title, "faster" in own.reason) == ("onnx/OnnxCPU", False)
    assert any(line.endswith(" ms, eager: nothing is swapped in") for line in found.summary())


@pytest.mark.slow
@pytest.mark.timeout(200)
def test_a_module_whose_flow_depends_on_its_data_stays_eager_with_the_reason() -> None:
    class Deciding(Encoder):
        def forward(self, x, mask=None):
            return x * 2 if float(x.sum()) > 0 else x * 3

    module = nav.Module(Deciding().eval(), "deciding")
    samples = [(2, torch.ones(2, 4)), (3, -torch.ones(3, 4))]

    found = nav.optimize(module, samples, config())

    assert found.eager["deciding"].startswith("no format of it is right: onnx: ")


def test_a_module_with_hooks_on_a_part_of_it_stays_eager_with_the_reason() -> None:
    pipeline = Pipeline()
    nav.wrap(pipeline, ["encoder"])
    pipeline.encoder.linear.register_forward_hook(lambda module, given, found: found * 2)

    found = nav.optimize(pipeline, [batch(1)], config())

    assert found.eager["encoder"].startswith("its part 'linear' has forward hooks, which no format calls")


VERIFY: dict[str, tuple[Callable, str]] = {
    "raises": (
        lambda found, expected: 1 / 0,
        r"verify_func raised ZeroDivisionError: .* \(test_optimize.py:\d+\), given",
    ),
    "one-argument": (lambda found: True, "verify_func raised TypeError: .*, given what the pipeline returns as it is"),
    "refuses": (lambda found, expected: False, "verify_func returned False, not True, given what the pipeline returns"),
}


@pytest.mark.parametrize("case", VERIFY)
def test_a_function_that_does_not_take_the_pipeline_as_it_is_is_told_before_anything_is_made(
    case: str, capsys: pytest.CaptureFixture[str]
) -> None:
    function, message = VERIFY[case]
    pipeline = Pipeline()
    nav.wrap(pipeline, ["encoder"])

    with pytest.raises(ConfigError, match=message):
        nav.optimize(pipeline, [batch(1)], config(verify_func=function))
    assert "nav_model::test" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("own", "message"),
    [
        ({"runners": ()}, r"encoder: optimize_config=\{'runners': \(\)\}: a nav.OptimizeConfig is needed"),
        (config(verify_func=lambda found: True), "encoder: verify_func=.*: a function of two arguments is needed"),
    ],
)
def test_a_configuration_of_a_module_is_checked_before_the_pipeline_runs(own, message) -> None:
    pipeline = Pipeline()
    nav.wrap(pipeline, ["encoder"])
    pipeline.encoder.optimize_config = own

    with pytest.raises(ConfigError, match=message):
        nav.optimize(lambda x: pytest.fail("it ran"), [batch(1)], config())


@pytest.mark.slow
@pytest.mark.timeout(200)
def test_a_name_is_no_path_and_another_function_of_a_module_is_asked_anew(tmp_path: Path) -> None:
    pipeline = Pipeline()
    nav.Module(pipeline.encoder, "../../evil")
    pipeline.encoder.optimize_config = config(verify_func=lambda found, expected: True)
    first = nav.optimize(pipeline, [batch(1)], config())
    pipeline.encoder.optimize_config = config(verify_func=lambda found, expected: False)
    second = nav.optimize(pipeline, [batch(1)], config())

    assert first.chosen == {"../../evil": "onnx/OnnxCPU"}
    assert "verify_func returned False" in second.eager["../../evil"]
    assert {path.name for path in tmp_path.iterdir()} == {"navigator_workspace", "store"}
    assert not list(tmp_path.parent.glob("evil"))


@pytest.mark.slow
@pytest.mark.timeout(200)
def test_what_a_pipeline_raises_with_a_format_is_said_with_the_format_and_the_line() -> None:
    encoder = nav.Module(Encoder().eval(), "encoder")
    runs = itertools.count(1)

    def pipeline(x: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            hidden = encoder(x).hidden
        assert next(runs) < 4, "too often"  # from the first run with a format on
        return hidden

    found = nav.optimize(pipeline, [batch(1)], config())

    said = "with encoder onnx/OnnxCPU in place the pipeline raises: sample 0 raised AssertionError: too often"
    assert found.eager["encoder"].startswith(said)
    assert "(test_optimize.py:" in found.eager["encoder"]


def test_a_module_in_training_is_told_by_its_name_how_to_be_in_evaluation() -> None:
    pipeline = Pipeline()
    nav.wrap(pipeline, ["encoder"])
    pipeline.encoder.train()

    found = nav.optimize(pipeline, [batch(1)], config())

    assert found.eager["encoder"].startswith("the module is in training mode: ")
    assert found.eager["encoder"].endswith("; call encoder.eval()")


def test_a_pipeline_that_counts_is_told_which_module_does() -> None:
    class Counting(torch.nn.Module):
        n = 0

        def forward(self, x):
            self.n += 1
            return x * self.n

    module = nav.Module(Counting().eval(), "counting")

    with pytest.raises(SourceError, match=r"runs again: .*; counting keeps attribute 'n' between calls; compare with"):
        nav.optimize(module, [batch(1)], config())


BAD: dict[str, tuple[Callable, list, type[Exception], str]] = {
    "none-wrapped": (lambda x: x, [batch(1)], ConfigError, r"no module is wrapped: .*nav.wrap\("),
    "never-called": (lambda x: x, [batch(1)], ConfigError, r"calls none of the modules that are wrapped \(encoder\)"),
    "empty": (lambda x: x, [], SourceError, "the dataloader is empty"),
    "no-function": (None, [batch(1)], ConfigError, r"nav.optimize\(None, ...\): the pipeline"),
    "raises": (lambda x: x.no(), [batch(1)], SourceError, "the pipeline, as it is, raises: sample 0 raised Attribute"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_told_before_anything_is_made(case: str) -> None:
    func, loader, kind, message = BAD[case]
    pipeline = Pipeline()
    if case != "none-wrapped":
        nav.wrap(pipeline, ["encoder"])

    with pytest.raises(kind, match=message):
        nav.optimize(func, loader, config())


@pytest.mark.parametrize(
    ("output", "kind", "message"),
    [
        (lambda hidden: object(), ConfigError, r"what the pipeline returns cannot be compared \(output is a object"),
        (lambda hidden: hidden * next(COUNT), SourceError, "gives something else when it runs again"),
    ],
)
def test_a_pipeline_that_cannot_be_compared_needs_a_function_of_the_users(output, kind, message) -> None:
    pipeline = Pipeline()
    nav.wrap(pipeline, ["encoder"])

    with pytest.raises(kind, match=message) as raised:
        nav.optimize(lambda x: output(pipeline.encoder(x).hidden), [batch(1)], config())
    assert "nav.OptimizeConfig(verify_func=" in str(raised.value)


def test_a_sample_that_raises_ends_the_loader_and_modules_without_formats_need_no_engine() -> None:
    class Mutating(torch.nn.Module):
        def forward(self, x):
            if float(x.max()) > 2:
                raise ValueError("too large")
            return x.add_(1)

    pipeline = Pipeline()
    module = nav.Module(Mutating().eval(), "mutating")
    nav.wrap(pipeline, ["encoder"])

    found = nav.optimize(module, [(1, torch.ones(1, 2)), (1, torch.ones(1, 2)), (1, 3 * torch.ones(1, 2))], config())

    assert found.samples == 2
    assert found.eager == {
        "mutating": "it changes its argument 'x' in place, which no format does",
        "encoder": "never called while the pipeline ran on 2 samples",
    }
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loaded = nav.load_optimized()
    assert {each.graph: each.reason for each in loaded.graphs} == found.eager
    (note,) = [line for line in found.summary() if line.startswith("note: ")]
    assert re.fullmatch(
        r"note: sample 2 raised ValueError: too large \(test_optimize.py:\d+\); the 2 before it are used", note
    )


def test_parts_and_shared_weights_are_known() -> None:
    pipeline = Pipeline()
    other = Unet().eval()
    other.linear.weight = pipeline.unet.linear.weight
    nav.wrap(pipeline, ["unet"])
    nav.Module(other, "other")
    nav.Module(pipeline.unet.linear, "linear")

    modules = {each.name: each for each in registered()}
    assert in_common(modules["other"], [modules["unet"]]) == (
        "it shares its weight 'linear.weight' with 'unet', whose format holds a copy: this would be another one"
    )
    assert in_common(modules["linear"], [modules["unet"]]) == "it is a part of 'unet', whose format holds it"
    assert in_common(modules["linear"], []) == ""
    order = [each.name for each in outermost_first([modules["linear"], modules["unet"], modules["other"]])]
    assert order == ["unet", "other", "linear"]


@pytest.mark.slow
@pytest.mark.timeout(200)
def test_a_part_stays_eager_only_if_what_it_is_a_part_of_has_a_format() -> None:
    class Deciding(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder = Encoder()

        def forward(self, x):
            hidden = self.encoder(x).hidden
            return hidden * 2 if float(x.sum()) > 0 else hidden * 3

    module = nav.Module(Deciding().eval(), "whole")
    nav.wrap(module, ["encoder"])

    def pipeline(x: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            return module(x)

    found = nav.optimize(pipeline, [(2, torch.ones(2, 4)), (3, -torch.ones(3, 4))], config())

    assert (list(found.eager), found.chosen) == (["whole"], {"encoder": "onnx/OnnxCPU"})


def test_a_module_on_several_devices_stays_eager_with_the_reason() -> None:
    class Spread(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = torch.nn.Linear(4, 4)
            self.far = torch.nn.Parameter(torch.empty(2, device="meta"))  # as what offloads weights leaves them

        def forward(self, x):
            return self.linear(x)

    module = nav.Module(Spread().eval(), name="spread")

    found = nav.optimize(torch.no_grad()(lambda x: module(x)), [batch(1), batch(2)], config())

    assert found.chosen == {}
    assert re.search(r"meta", found.eager["spread"])

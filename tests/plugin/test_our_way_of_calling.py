"""Where it is how we call the model that it cannot bear, the message says so and names the setting."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blackbox import words

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest
    from blackbox import Nav

POTENTIAL = """
class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.net = torch.nn.Linear(5, 1)

    def forward(self, x):
        with {mode}:
            place = {place}
            (gradient,) = torch.autograd.grad(self.net(place).tanh().sum(), place)
        return gradient
"""
DETACHED = "x.detach().requires_grad_(True)"
CHOSEN = "\nfrom pytest_navigator import NavConfig, TorchConfig\nnav_config = NavConfig(formats=[TorchConfig({})])\n"


def test_a_model_that_takes_gradients_is_told_the_setting_and_runs_with_it(
    project: Callable[..., None], failed: Callable[..., dict[str, str]], nav: Nav
) -> None:
    model = POTENTIAL.format(mode="torch.enable_grad()", place=DETACHED)
    project(model)
    message = failed(nav("-rf", "--nav-in-process", formats="torch"))["test_source"]
    assert "this is how it is called here" in message
    assert "TorchConfig(inference_mode=False)" in message
    project(model + CHOSEN.format("inference_mode=False"))
    assert set(words(nav("-v", "--nav-in-process", formats="torch")).values()) == {"PASSED"}


def test_a_model_that_does_not_switch_gradients_on_itself_is_told_to(
    project: Callable[..., None], failed: Callable[..., dict[str, str]], nav: Nav
) -> None:
    project(POTENTIAL.format(mode="torch.autograd.set_detect_anomaly(False)", place=DETACHED))
    message = failed(nav("-rf", "--nav-in-process", formats="torch"))["test_source"]
    assert "with torch.enable_grad():" in message
    assert "TorchConfig(inference_mode=False)" in message


def test_a_model_that_is_simply_wrong_is_told_nothing_of_the_kind(
    project: Callable[..., None], failed: Callable[..., dict[str, str]], nav: Nav
) -> None:
    project("class Model(torch.nn.Module):\n    def forward(self, x):\n        return x @ x\n")
    message = failed(nav("-rf", "--nav-in-process", formats="torch"))["test_source"]
    assert "inference_mode" not in message
    assert "called here" not in message


BATCH_STATISTICS = """
class Model(torch.nn.Module):
    def forward(self, x):
        return torch.nn.functional.batch_norm(x, None, None, training=True)
"""
WHOLE = "\nfrom pytest_navigator import NavConfig\nnav_config = NavConfig(batch_dim=None)\n"


def test_a_model_that_takes_no_batch_of_1_is_told_whose_call_it_was_and_runs_without_it(
    project: Callable[..., None], failed: Callable[..., dict[str, str]], nav: Nav, pytester: pytest.Pytester
) -> None:
    loader = "[torch.randn(n, 5) for n in (4, 4)]"
    project(BATCH_STATISTICS, loader=loader)
    message = failed(nav("-rf", "--nav-in-process"))["test_source"]
    assert "sample 0 at batch 1: " in message
    assert "this call, on the first row of a sample, is a check of ours" in message
    assert "NavConfig(batch_dim=None)" in message
    project(BATCH_STATISTICS + WHOLE, loader=loader)
    assert set(words(nav("-v", "--nav-in-process")).values()) == {"PASSED"}

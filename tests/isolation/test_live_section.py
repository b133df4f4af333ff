from __future__ import annotations

import random
import signal
import time
import warnings
from contextlib import suppress

import numpy as np
import pytest
import torch

from pytest_navigator.backends.torch.source import TorchFramework
from pytest_navigator.core.digests import digest_of_arrays
from pytest_navigator.errors import StepFailed
from pytest_navigator.frameworks.seeding import seeded
from pytest_navigator.isolation.live_section import live_section


def draws() -> tuple[float, float, float]:
    return random.random(), float(np.random.rand()), float(torch.rand(()))


def test_the_same_seed_gives_the_same_draws_whatever_was_drawn_before():
    with seeded(3, [TorchFramework()]):
        first = draws()
    draws()
    with seeded(3, [TorchFramework()]):
        assert draws() == first
    with seeded(4, [TorchFramework()]):
        assert draws() != first


def test_the_state_of_the_users_own_tests_is_put_back():
    random.seed(1)
    np.random.seed(1)
    torch.manual_seed(1)
    expected = draws()
    random.seed(1)
    np.random.seed(1)
    torch.manual_seed(1)
    with suppress(KeyError), seeded(5, [TorchFramework()]):
        draws()
        raise KeyError
    assert draws() == expected


def test_a_step_that_runs_past_its_limit_is_interrupted(tmp_path):
    before = signal.getsignal(signal.SIGALRM)

    def work() -> None:
        with live_section(tmp_path / "log", 0.2):
            print("still working")
            time.sleep(30)

    with pytest.raises(StepFailed, match=r"no answer within 0.2 s") as caught:
        work()
    assert caught.value.kind == "timeout"
    assert "still working" in caught.value.detail
    assert signal.getsignal(signal.SIGALRM) is before


def test_an_alarm_that_was_running_goes_on(tmp_path):
    rung = []
    before = signal.signal(signal.SIGALRM, lambda *_: rung.append(True))
    signal.setitimer(signal.ITIMER_REAL, 0.3)
    try:
        with live_section(tmp_path / "log", 20):
            pass
        time.sleep(0.5)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert rung == [True]


class Theirs(BaseException):
    """What another alarm raises."""


@pytest.fixture
def other_alarm():
    """Set an alarm as pytest-timeout does; its timer is gone afterwards."""
    before = signal.getsignal(signal.SIGALRM)

    def start(seconds, handler, interval=0.0):
        signal.signal(signal.SIGALRM, lambda *_: handler())
        signal.setitimer(signal.ITIMER_REAL, seconds, interval)

    yield start
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def test_an_alarm_that_is_due_first_rings_during_the_step(tmp_path, other_alarm):
    def handler():
        raise Theirs

    other_alarm(0.1, handler)
    with pytest.raises(Theirs), live_section(tmp_path / "log", 60):
        time.sleep(30)
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_the_limit_holds_after_another_alarm_has_rung(tmp_path, other_alarm):
    rung = []
    other_alarm(0.05, lambda: rung.append(True), 0.05)
    with pytest.raises(StepFailed, match=r"no answer within 0.4 s"), live_section(tmp_path / "log", 0.4):
        time.sleep(30)
    assert rung
    remaining, interval = signal.getitimer(signal.ITIMER_REAL)
    assert remaining > 0
    assert interval == 0.05


def test_the_time_of_a_step_counts_for_another_alarm(tmp_path, other_alarm):
    other_alarm(600, lambda: None)
    with live_section(tmp_path / "log", 1200):
        time.sleep(0.1)
    assert 0 < signal.getitimer(signal.ITIMER_REAL)[0] <= 599.9


def test_of_two_limits_the_outer_one_says_its_own_time(tmp_path):
    with (
        pytest.raises(StepFailed, match=r"no answer within 0.1 s"),
        live_section(tmp_path / "log", 0.1),
        live_section(tmp_path / "log", 60),
    ):
        time.sleep(30)


def test_what_an_exporter_warns_of_is_in_the_log(tmp_path):
    with live_section(tmp_path / "log", None):
        warnings.warn("an old operator", DeprecationWarning, stacklevel=1)
    assert "DeprecationWarning: an old operator" in (tmp_path / "log").read_text()


def test_arrays_of_other_names_types_or_values_have_other_digests():
    base = {"x": np.arange(3.0)}
    others = [{"y": np.arange(3.0)}, {"x": np.arange(3)}, {"x": np.arange(3.0).reshape(3, 1)}, {"x": np.ones(3)}]
    digests = {digest_of_arrays(arrays) for arrays in [base, *others]}
    assert len(digests) == 5

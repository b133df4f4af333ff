from __future__ import annotations

import random
import signal
import time
import warnings
from contextlib import suppress

import numpy as np
import pytest
import torch

from pytest_navigator.errors import StepFailed
from pytest_navigator.frameworks.torch import TorchFramework
from pytest_navigator.live import digest_of_arrays
from pytest_navigator.live import live_section
from pytest_navigator.live import seeded


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


def test_what_an_exporter_warns_of_is_in_the_log(tmp_path):
    with live_section(tmp_path / "log", None):
        warnings.warn("an old operator", DeprecationWarning, stacklevel=1)
    assert "DeprecationWarning: an old operator" in (tmp_path / "log").read_text()


def test_arrays_of_other_names_types_or_values_have_other_digests():
    base = {"x": np.arange(3.0)}
    others = [{"y": np.arange(3.0)}, {"x": np.arange(3)}, {"x": np.arange(3.0).reshape(3, 1)}, {"x": np.ones(3)}]
    digests = {digest_of_arrays(arrays) for arrays in [base, *others]}
    assert len(digests) == 5

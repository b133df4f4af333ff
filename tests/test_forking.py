"""The stand-in for processes that tests start: a fork has the descriptors that it was asked for, by their numbers."""

from __future__ import annotations

import fcntl
import os
import sys

import pytest

from tests.forking import FIRST_FREE, Forked

SAY = "import os, sys; os.write(int(sys.argv[1]), b'here')"


@pytest.mark.parametrize("least", [3, *range(FIRST_FREE - 1, FIRST_FREE + 9)])
def test_a_descriptor_has_its_number_in_the_process_that_is_started(least: int) -> None:
    reading, writing = os.pipe()
    given = fcntl.fcntl(writing, fcntl.F_DUPFD, least)
    try:
        with Forked([sys.executable, "-c", SAY, str(given)], pass_fds=[given]) as process:
            assert process.wait(60) == 0
        assert os.read(reading, 9) == b"here"
    finally:
        for descriptor in (reading, writing, given):
            os.close(descriptor)

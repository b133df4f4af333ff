"""Why the best runner of a package is not the one that is served."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pytest_navigator.deploy.recorded import RecordedRunner
from pytest_navigator.deploy.serve.chosen import passed_over
from pytest_navigator.package.query.strategies import candidates, choose
from tests.package.recorded import outcomes, results


@pytest.mark.parametrize(("requires", "said"), [(("warp",), True), ((), False)])
def test_the_best_runner_that_lacks_a_library_here_is_told(requires: tuple[str, ...], said: bool) -> None:
    found = results(outcomes())
    best = choose(candidates(found, include_source=False))
    runner = replace(found.suite.runners[best.runner], requires=requires)
    suite = replace(found.suite, runners={**found.suite.runners, best.runner: runner})
    changed = replace(found, suite=suite)
    line = f"the best of the package is {best.place}, but warp is not installed"
    assert passed_over(changed, RecordedRunner(changed, "x", "XCPU"), verified_only=False) == [line][: int(said)]
    assert passed_over(changed, RecordedRunner(changed, best.key, best.runner), verified_only=False) == []

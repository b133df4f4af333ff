"""A decoder is checked as it is used: step after step, each with the state that the runner gave itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from blackbox import member, words

from pytest_navigator import load
from pytest_navigator.gates.judging import Record, judge
from pytest_navigator.gates.tolerance import Policy

if TYPE_CHECKING:
    from collections.abc import Callable

    from blackbox import Nav

MODEL = """
class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.embed, self.head = torch.nn.Embedding(9, 4), torch.nn.Linear(4, 9)

    def forward(self, ids, past):
        past = torch.cat([past, self.embed(ids)], 1)
        return {"logits": self.head(past.cumsum(1)[:, -ids.shape[1]:]), "past": past}


def steps(count, handed_on):
    model, ids, past = Model().eval(), torch.tensor([[1, 2], [3, 4]]), torch.zeros(2, 0, 4)
    for _ in range(count + 1):
        yield {"ids": ids, "past": past}
        with torch.no_grad():
            found = model(ids, past)
        ids, past = found["logits"][:, -1:].argmax(-1), handed_on(found["past"])
    yield {"ids": torch.tensor([[1, 2, 5], [3, 4, 5]]), "past": past}
"""


@pytest.fixture
def decoder(project: Callable[..., None]) -> Callable[..., None]:
    """Write a model with state, and samples of which each takes what a function makes of the state before it."""

    def write(handed_on: str = "lambda past: past", count: int = 8, decoding: int = 8) -> None:
        config = f"import pytest_navigator as nav\nnav_config = nav.NavConfig(decoding={decoding})"
        project(f"{MODEL}\n{config}", loader=f"list(steps({count}, {handed_on}))")

    return write


def test_every_runner_goes_through_the_steps_with_its_own_state(
    pytester: pytest.Pytester, decoder: Callable[..., None], nav: Nav
) -> None:
    decoder()
    result = nav("-v", "--nav-package=o.nav")
    assert result.ret == 0
    found = words(result)
    assert {found[f"test_decoding[{cell}-cpu]"] for cell in ("torch", "torchscript-trace")} == {"PASSED"}
    result.stdout.fnmatch_lines(["decoding: a prefill and 8 steps *, 18 tokens *: torch-cpu, torchscript-trace-cpu"])
    assert "step: decoding" in member(pytester.path / "o.nav", "status.yaml")


def test_a_state_that_is_not_what_the_model_hands_on_fails_where_it_begins(
    pytester: pytest.Pytester, decoder: Callable[..., None], nav: Nav
) -> None:
    decoder("lambda past: -past")
    result = nav("-v", "--nav-package=o.nav")
    found = words(result)
    assert found["test_correctness[torchscript-trace-cpu]"] == "PASSED"
    assert found["test_decoding[torchscript-trace-cpu]"] == "FAILED"
    result.stdout.fnmatch_lines(["*decoding step 1: row * goes on with token *", " *TorchScriptCPU *ok *FAILED *"])
    (package,) = pytester.path.glob("*.nav")
    opened = load(package)
    assert not opened.get_status("torchscript-trace", "TorchScriptCPU")
    # However loose a tolerance is, another token is another token.
    recorded = Record(opened.results.suite, opened.results.outcomes, opened.results.signature)
    words_of = {item.name: item.word for item in judge(recorded, Policy(atol=1e9))}
    assert words_of["test_decoding[torchscript-trace-cpu]"] == "FAILED"


def test_a_generation_that_the_loader_does_not_have_is_told_so(decoder: Callable[..., None], nav: Nav) -> None:
    decoder(count=2, decoding=4)
    result = nav("-k=decoding")
    result.stdout.fnmatch_lines(["*decoding=4: sample 4 of the loader is not kept or not there; the first 5 are *"])


def test_without_a_generation_there_is_no_such_test(project: Callable[..., None], nav: Nav) -> None:
    project(MODEL, loader="list(steps(2, lambda past: past))")
    result = nav("--collect-only", "-q")
    result.stdout.no_fnmatch_line("*test_decoding*")

"""A model or a loader that does not keep its contract: the source step fails, says where, and nothing else runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    Nav = Callable[..., pytest.RunResult]
    Project = Callable[..., None]
    Failed = Callable[[pytest.RunResult], dict[str, str]]

# The source step always runs in pytest's process; --nav-in-process saves the child that would have nothing to do.
LINEAR = "torch.nn.Linear(5, 7).eval()"

ONE_SAMPLE = "which is one sample: return a list of samples, each a batch"

LOADERS = {
    "empty": ("[]", "the loader is empty: it has to give at least one sample"),
    "an empty generator": ("iter(())", "the loader is empty: it has to give at least one sample"),
    "infinite": (
        "itertools.repeat(torch.randn(3, 5))",
        "the loader has no len() and still goes on after 10000 samples: is it infinite? End it (itertools.islice), or "
        "give it a len()",
    ),
    "raising": (
        "(torch.ones(3, 5) / (2 - i) if i < 2 else {}['row'] for i in range(4))",
        "the loader raised at sample 2: KeyError: 'row'",
    ),
    "a callable that raises": (
        "lambda: open('/nowhere')",
        "the loader raised when it was called: FileNotFoundError: *",
    ),
    "one tensor": ("torch.randn(3, 5)", f"the loader is one array of shape (3, 5), {ONE_SAMPLE}"),
    "one dict": ("{'x': torch.randn(3, 5)}", f"the loader is one dict with the keys 'x', {ONE_SAMPLE}"),
    "None": ("None", "the loader is a NoneType, which cannot be iterated: return a list of samples"),
    "another structure": (
        "[torch.randn(3, 5), (torch.randn(3, 5), torch.randn(3, 5))]",
        "sample 1: args[1] is not in sample 0",
    ),
    "other keys": (
        "[{'input': torch.randn(3, 5)}, {'inputs': torch.randn(3, 5)}]",
        'sample 1: kwargs["input"] is missing',
    ),
    "another rank": (
        "[torch.randn(3, 5), torch.randn(3, 5), torch.randn(3, 2, 5)]",
        "sample 2: input 'input' has shape (3, 2, 5), sample 0 has (3, 5): not as many axes",
    ),
    "another type": (
        "[torch.randn(3, 5), torch.randn(3, 5).double()]",
        "sample 1: input 'input' is float64, sample 0 has float32",
    ),
    "not a number": (
        "[torch.randn(3, 5), torch.tensor([[0, 1, 2, 3, float('nan')]])]",
        "sample 1: input 'input' is nan at [0, 4]",
    ),
    "no inputs": ("[(), ()]", "sample 0: there is no array in the sample: it is empty, and a model without inputs*"),
    "text": ("['a sentence']", "sample 0: there is no array in Call('a sentence')*"),
}

MODELS = {
    "None": ("None", "the model is NoneType: a torch.nn.Module is needed"),
    "a path": (
        "'model.pt'",
        "the model is the path 'model.pt', which is no torch model; of a file, say what it is: *",
    ),
    "a class": ("torch.nn.ReLU", "the model is the class ReLU: an instance of it is needed"),
    "a state dict": (
        "torch.nn.Linear(5, 7).state_dict()",
        "the model is OrderedDict: a torch.nn.Module is needed",
    ),
    "training": ("torch.nn.Linear(5, 7)", "nav_model is in training mode: Linear; return model.eval()"),
    "no values": (
        "torch.nn.Linear(5, 7, device='meta').eval()",
        "nav_model has no values: 'weight' is on the device 'meta'; load its weights",
    ),
    "lazy": (
        "torch.nn.Sequential(torch.nn.LazyLinear(7)).eval()",
        "nav_model has no values: '0.weight' gets them in the first call; call the model once in the fixture",
    ),
    "raising in its fixture": ("open('/nowhere/weights.pt')", "nav_model raised FileNotFoundError: *weights.pt*"),
    "another input": (
        "torch.nn.Linear(6, 7).eval()",
        "the model raised on sample 0: RuntimeError: mat1 and mat2 shapes cannot be multiplied (3x5 and 6x7)",
    ),
}

CHANGING_STRUCTURE = """
class Model(torch.nn.Module):
    def forward(self, x):
        return (x, x) if x.shape[0] == 2 else (x,)
"""

CHANGING_RANK = """
class Model(torch.nn.Module):
    def forward(self, x):
        return x.sum(1, keepdim=x.shape[0] == 2)
"""

NOTHING = "class Model(torch.nn.Module):\n    def forward(self, x):\n        return None"

NO_LOADER = """
import pytest, torch

@pytest.fixture
def nav_model() -> torch.nn.Module:
    return torch.nn.Linear(5, 7).eval()
"""

YIELDING = """
@pytest.fixture
def nav_dataloader():
    for _ in range(4):
        yield {}
"""

CLEANING = """
@pytest.fixture
def nav_dataloader():
    def samples():
        for _ in range(4):
            yield torch.randn(3, 5)
    yield samples
    open("closed", "w").close()
"""


def check(result: pytest.RunResult, failed: dict[str, str], message: str) -> None:
    """Only the source failed, with this message; all that starts from it is skipped; no traceback of ours."""
    assert list(failed) == ["test_source"]
    result.stdout.fnmatch_lines([f"FAILED conftest.py::nav_model::test_source - {escaped(message)}"])
    result.assert_outcomes(failed=1, skipped=3)
    assert "pytest_navigator/" not in result.stdout.str()
    assert result.ret == pytest.ExitCode.TESTS_FAILED


def escaped(pattern: str) -> str:
    return pattern.replace("[", "[[]")


@pytest.mark.parametrize("case", LOADERS)
def test_a_loader_that_gives_no_usable_samples_fails_the_source(
    project: Project, nav: Nav, failed: Failed, case: str
) -> None:
    loader, message = LOADERS[case]
    project("import itertools", made=LINEAR, loader=loader)

    result = nav("--nav-in-process")

    check(result, failed(result), message)


@pytest.mark.parametrize("case", MODELS)
def test_what_cannot_be_checked_as_a_model_fails_the_source(
    project: Project, nav: Nav, failed: Failed, case: str
) -> None:
    made, message = MODELS[case]
    project(made=made)

    result = nav("--nav-in-process")

    check(result, failed(result), message)


def test_an_output_of_changing_structure_fails_the_source(project: Project, nav: Nav, failed: Failed) -> None:
    project(CHANGING_STRUCTURE, loader="[torch.ones(3, 5), torch.ones(2, 5)]")

    result = nav("--nav-in-process")

    check(result, failed(result), "the model's output has another structure on sample 1: *2*1*")


def test_an_output_of_changing_rank_fails_the_source(project: Project, nav: Nav, failed: Failed) -> None:
    project(CHANGING_RANK, loader="[torch.ones(3, 5), torch.ones(2, 5)]")

    result = nav("--nav-in-process")

    message = "output 'output__0' has shape (2, 1) on sample 1, (3,) on sample 0: not as many axes"
    check(result, failed(result), message)


def test_a_model_that_returns_nothing_fails_the_source(project: Project, nav: Nav, failed: Failed) -> None:
    project(NOTHING)

    result = nav("--nav-in-process")

    check(result, failed(result), "there is nothing to compare in the model's output: None")


def test_a_loader_with_labels_is_told_how_to_leave_them_out(project: Project, nav: Nav, failed: Failed) -> None:
    project(made=LINEAR, loader="[(torch.randn(3, 5), torch.zeros(3))]")

    (message,) = failed(nav("--nav-in-process")).values()

    assert message.startswith("the model raised on sample 0: TypeError: ")
    assert "; a tuple or list is the positional arguments, 2 here: " in message
    assert "return [x for x, label in loader] leaves out a label" in message


OF_A_DICT = """
class Model(torch.nn.Module):
    def forward(self, batch, scale=None):
        return batch["image"] * 2 + batch["mask"]
"""
IMAGES = "{'image': torch.ones(3, 2), 'mask': torch.ones(3, 2)}"


@pytest.mark.parametrize(
    ("sample", "given"),
    [(IMAGES, "sample"), (f"(torch.ones(3, 2), {IMAGES})", "..., the_dict")],
)
def test_a_dict_for_a_model_that_takes_the_dict_itself_is_told_what_it_stands_for(
    project: Project, nav: Nav, failed: Failed, sample: str, given: str
) -> None:
    project(OF_A_DICT, loader=f"[{sample}]")

    (message,) = failed(nav("--nav-in-process")).values()

    assert message.startswith("the model raised on sample 0: TypeError: ")
    assert message.endswith(
        "; a dict in a sample is keyword arguments, and no parameter is called 'image', 'mask': use those of the "
        f"model (batch, scale) as keys, or, where the model takes the dict itself, let the loader give "
        f"pytest_navigator.Call({given})"
    )


def test_a_dict_that_is_given_as_it_is_told_works(project: Project, nav: Nav) -> None:
    project(f"from pytest_navigator import Call\n{OF_A_DICT}", loader=f"[Call(sample) for sample in [{IMAGES}]]")
    nav("--nav-in-process").assert_outcomes(passed=4)


MIXING = """
from pytest_navigator import NavConfig

class Model(torch.nn.Module):
    def forward(self, x, mix):
        return mix.inverse() @ x

nav_config = NavConfig({})
"""


def test_an_input_that_has_the_batchs_size_by_chance_can_be_declared_unbatched(
    project: Project, nav: Nav, failed: Failed
) -> None:
    loader = "[(torch.randn(3, 3, 5), torch.eye(3))]"
    project(MIXING.format(""), loader=loader)

    (message,) = failed(nav("--nav-in-process")).values()

    assert message.startswith("the model raised on sample 0 at batch 1: ")
    assert "; an input that has no batch is to be named: NavConfig(unbatched=[...]); where one has it" in message
    assert message.endswith(" on another axis than the others: NavConfig(batch_dim=None)")

    project(MIXING.format("unbatched=['mix']"), loader=loader)

    result = nav("--nav-in-process")

    result.assert_outcomes(passed=4)


def test_a_model_without_a_loader_says_what_to_write(
    pytester: pytest.Pytester, nav: Nav, failed: Failed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "500")
    pytester.makeconftest(NO_LOADER)

    result = nav("--nav-in-process")

    message = "there is no nav_dataloader beside nav_model; write a fixture that returns a list of samples"
    check(result, failed(result), f"*{message}")


@pytest.mark.parametrize(
    ("sample", "what"),
    [
        ("torch.randn(3, 5)", "one array of shape (3, 5)"),
        ("{'input': torch.randn(3, 5)}", "one dict with the keys 'input'"),
    ],
)
def test_a_fixture_that_yields_its_samples_is_told_what_pytest_makes_of_it(
    pytester: pytest.Pytester, nav: Nav, failed: Failed, monkeypatch: pytest.MonkeyPatch, sample: str, what: str
) -> None:
    monkeypatch.setenv("COLUMNS", "500")
    pytester.makeconftest(f"{NO_LOADER}\n{YIELDING.format(sample)}")

    result = nav("--nav-in-process")

    message = failed(result)["test_source"]
    assert message.startswith(
        f"nav_dataloader yields samples, and of a fixture pytest takes what it yields first, here {what}, "
    )
    assert message.endswith("collect them in a list and return that, or return an inner function that yields them")
    assert f"the loader is {what}" not in result.stdout.str()


def test_a_fixture_that_yields_its_loader_once_may_clean_up_after_it(pytester: pytest.Pytester, nav: Nav) -> None:
    pytester.makeconftest(f"{NO_LOADER}\n{CLEANING}")

    nav("--nav-in-process").assert_outcomes(passed=4)

    assert (pytester.path / "closed").exists()


def test_a_package_is_written_of_a_run_whose_source_failed(
    project: Project, nav: Nav, pytester: pytest.Pytester
) -> None:
    project(made=LINEAR, loader="[]")

    nav("--nav-in-process", "--nav-package=out.nav")

    assert (pytester.path / "out.nav").is_file()

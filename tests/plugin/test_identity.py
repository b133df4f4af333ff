"""One model, one identity: never is one model exported and another compared."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from blackbox import FAKE_CONFTEST, FAKE_FORMAT, LINEAR, calls, status, words

if TYPE_CHECKING:
    from blackbox import Fake, Nav

LOADER = LINEAR[LINEAR.index("@pytest.fixture", LINEAR.index("nav_model")) :]
HEAD = FAKE_CONFTEST.replace(LINEAR, "import pytest, torch\n")
SEEN = "*nav_model is another model here than the one that the source step has checked*seed*"
DRAWN_UPSTREAM = """
import random, torch

@pytest.fixture(scope="{scope}")
def weights():
    torch.manual_seed(random.SystemRandom().getrandbits(30))
    return torch.randn(7, 5)

@pytest.fixture(scope="{scope}")
def nav_model(weights) -> torch.nn.Module:
    model = torch.nn.Linear(5, 7).eval()
    model.weight.data = weights
    return model
"""
DENSE_UPSTREAM = """
@pytest.fixture(scope="session")
def weights():
    return np.random.default_rng().normal(size=(7, 5)).astype("float32")

@pytest.fixture(scope="session")
def nav_model(weights):
    return Dense(weights, np.zeros(7, "float32"))
"""
VERIFY = """
def verify_shape(nav_runner):
    assert nav_runner(torch.zeros(1, 5)).shape == (1, 7)
"""
COUNTED = """
from fake_format import note

@pytest.fixture(scope="{scope}")
def nav_model() -> torch.nn.Module:
    note("built")
    return torch.nn.Linear(5, 7).eval()
"""

ONE_GROUP_A_WORKER = """

def pytest_collection_modifyitems(items):
    for item in items:
        item.add_marker(pytest.mark.xdist_group("export" if "test_export" in item.name else "others"))
"""


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makepyfile(fake_format=FAKE_FORMAT)
    return pytester


def write(pytester: pytest.Pytester, model: str, rest: str = "") -> None:
    config = "nav_config = NavConfig(formats=[FakeConfig()], batch_sizes=[1])"
    pytester.makeconftest(f"{HEAD}\n{model}\n{LOADER}\n{config}\n{rest}")


@pytest.mark.parametrize("arguments", [[], ["-n2"]], ids=["plain", "n2"])
def test_weights_drawn_in_the_setup_of_nav_model_are_the_same_everywhere(
    project: pytest.Pytester, nav: Nav, arguments: list[str]
) -> None:
    write(project, COUNTED.format(scope="session"))
    result = nav("-v", "--nav-package=out.nav", *arguments, formats="", subprocess=bool(arguments))
    assert set(words(result).values()) == {"PASSED"}
    assert len(words(result)) == 4
    assert (project.path / "out.nav").exists()


def test_a_function_scoped_model_that_draws_upstream_is_an_error(project: pytest.Pytester, nav: Nav) -> None:
    write(project, DRAWN_UPSTREAM.format(scope="function"))
    result = nav("-v", "-rf", formats="")
    found = words(result)
    assert found["test_source"] == "PASSED"
    assert found["test_export[fake]"] == "FAILED"
    assert found["test_correctness[torch-cpu]"] == "FAILED"
    assert found["test_correctness[fake-cpu]"] == "SKIPPED"
    result.stdout.fnmatch_lines([SEEN])


@pytest.mark.slow
def test_a_session_scoped_model_that_draws_upstream_is_an_error_in_the_second_worker(dense: Fake, nav: Nav) -> None:
    """Whichever worker has not run the source step has another model; each of the two has a step that needs it."""
    pytester = dense()
    conftest = pytester.path / "conftest.py"
    conftest.write_text(conftest.read_text() + DENSE_UPSTREAM + ONE_GROUP_A_WORKER)
    result = nav("-v", "-rf", "-n2", "--dist=loadgroup", formats="", subprocess=True)
    found = words(result)
    assert found["test_source"] == "PASSED"
    assert "FAILED" in found.values()
    result.stdout.fnmatch_lines([SEEN])
    assert "outside" not in result.stdout.str()


def test_a_session_scoped_model_that_draws_upstream_is_one_model_in_one_process(
    project: pytest.Pytester, nav: Nav
) -> None:
    write(project, DRAWN_UPSTREAM.format(scope="session"))
    assert set(words(nav("-v", formats="")).values()) == {"PASSED"}


CALLED = """
class Called(torch.nn.Linear):
    def __init__(self):
        super().__init__(5, 7)
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x):
        self.calls += 1
        if not hasattr(self, "offsets"):
            self.register_buffer("offsets", torch.arange(7.0), persistent=False)
        return super().forward(x) + 0 * self.offsets
"""
SEEDED_CALLED = """
@pytest.fixture(scope="{scope}")
def nav_model() -> torch.nn.Module:
    return Called().eval()
"""
CHANGED = "calls, offsets changed when the model was called: not part of its fingerprint"


@pytest.mark.parametrize("scope", ["function", "session"])
def test_a_model_that_counts_its_calls_and_fills_a_cache_is_still_the_same(
    project: pytest.Pytester, nav: Nav, scope: str
) -> None:
    write(project, CALLED + SEEDED_CALLED.format(scope=scope), VERIFY)
    result = nav("-v", "--nav-package=out.nav", formats="")
    assert set(words(result).values()) == {"PASSED"}
    result.stdout.fnmatch_lines([f"note: source: {CHANGED}"])
    assert status(project.path / "out.nav")["pytest_navigator"]["steps"]["source"]["message"] == CHANGED


def test_a_model_that_counts_its_calls_and_draws_upstream_is_another_one(project: pytest.Pytester, nav: Nav) -> None:
    drawn = DRAWN_UPSTREAM.format(scope="function").replace("torch.nn.Linear(5, 7)", "Called()")
    write(project, CALLED + drawn)
    result = nav("-v", "-rf", formats="")
    assert words(result)["test_export[fake]"] == "FAILED"
    result.stdout.fnmatch_lines([SEEN])


DRAWING = """
import random

state = random.Random()
"""
IMPORTED_IN_THE_FIXTURE = """
from contextlib import nullcontext

class DrawingFramework(DenseFramework):
    package = "drawing"

    def seeded(self, seed):
        import drawing
        drawing.state.seed(seed)
        return nullcontext()

def pytest_nav_frameworks():
    return [DrawingFramework]

@pytest.fixture
def nav_model():
    import drawing
    weight = [[drawing.state.random() for _ in range(5)] for _ in range(7)]
    return Dense(np.array(weight, "float32"), np.zeros(7, "float32"))

@pytest.fixture
def nav_dataloader():
    import drawing
    return [np.array([[drawing.state.random() for _ in range(5)]], "float32")]
"""


def test_a_framework_that_only_the_fixture_imports_is_seeded_too(dense: Fake, nav: Nav) -> None:
    """It is imported before the fixture is set up: the first model is the second one's twin."""
    pytester = dense()
    pytester.makepyfile(drawing=DRAWING)
    conftest = pytester.path / "conftest.py"
    conftest.write_text(conftest.read_text() + IMPORTED_IN_THE_FIXTURE)
    result = nav("-v", formats="")
    assert set(words(result).values()) == {"PASSED"}
    assert len(words(result)) == 4


@pytest.mark.parametrize("scope", ["function", "class", "module", "session"])
def test_items_that_work_from_files_do_not_build_the_model(project: pytest.Pytester, nav: Nav, scope: str) -> None:
    write(project, COUNTED.format(scope=scope), VERIFY)
    result = nav("-v", "--nav-profile-seconds=0.05", formats="", profile=True)
    assert set(words(result).values()) == {"PASSED"}
    live = ["source", "export", "correctness of torch", "profile of torch"]
    assert calls(project).count("built") == (len(live) if scope == "function" else 1)


@pytest.mark.parametrize("argument", [".", "conftest.py"])
def test_the_suite_and_the_users_tests_share_one_model(project: pytest.Pytester, nav: Nav, argument: str) -> None:
    """Also where the conftest is named outright: pytest's own collector would register its fixtures twice."""
    write(project, COUNTED.format(scope="session"), "def test_in_conftest(nav_model): pass\n")
    project.makepyfile("def test_mine(nav_model): pass")
    expected = {".": 5, "conftest.py": 6}
    arguments = (argument, *(["test_the_suite_and_the_users_tests_share_one_model.py"] if argument != "." else []))
    nav("--nav-in-process", *arguments, formats="").assert_outcomes(passed=expected[argument])
    assert calls(project).count("built") == 1


def test_a_dataloader_is_read_once(project: pytest.Pytester, nav: Nav) -> None:
    write(project, COUNTED.format(scope="function"))
    conftest = project.path / "conftest.py"
    conftest.write_text(conftest.read_text() + ITERATED)
    nav(formats="").assert_outcomes(passed=4)
    assert calls(project).count("iterated") == 1


ITERATED = """
class Loader:
    def __iter__(self):
        note("iterated")
        return iter([torch.randn(3, 5) for _ in range(4)])

@pytest.fixture(scope="session")
def nav_dataloader():
    return Loader()
"""


def test_the_setup_of_the_model_leaves_the_users_random_state_alone(project: pytest.Pytester, nav: Nav) -> None:
    write(project, COUNTED.format(scope="session"))
    project.makepyfile(test_mine=RANDOM)
    arguments = ("-p", "no:randomly", "-p", "no:hypothesispytest", "test_mine.py")
    project.runpytest_inprocess(*arguments).assert_outcomes(passed=2)
    alone = (project.path / "drawn.txt").read_text()
    nav("--nav-in-process", "test_mine.py", "conftest.py", formats="").assert_outcomes(passed=6)
    assert (project.path / "drawn.txt").read_text() == alone


RANDOM = """
import pathlib, random
import numpy, torch

def test_seed():
    random.seed(1); numpy.random.seed(1); torch.manual_seed(1)

def test_draw(request):
    if request.config.option.nav:
        request.getfixturevalue("nav_model")
    text = f"{random.random()} {numpy.random.rand()} {torch.rand(1).item()}"
    pathlib.Path("drawn.txt").write_text(text)
"""


def test_another_seed_is_another_model(project: pytest.Pytester, nav: Nav) -> None:
    write(project, COUNTED.format(scope="session"))
    prints = []
    for seed in (0, 0, 1):
        nav("--nav-in-process", f"--nav-seed={seed}", "--nav-package=out.nav", formats="").assert_outcomes(passed=4)
        prints.append(status(project.path / "out.nav")["pytest_navigator"]["fingerprint"])
    assert prints[0] == prints[1] != prints[2]

"""What editors make of the collected tests: they cut node ids into pieces, each in its own way."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from blackbox import words
from model_files import linear

if TYPE_CHECKING:
    from pathlib import Path

    from blackbox import Nav

VSCODE = '''
"""What VS Code's plugin of this name does with every collected item, and with every report."""

import json
from pathlib import Path

import pytest

FOUND, RAN, PATHS = {}, {}, {}


def absolute(nodeid, path):
    return "::".join([str(path), *nodeid.split("::")[1:]])


def group(item):
    """The node of a parametrized function: this is what fails without a ".py", and with it the whole tree."""
    chain = item.nodeid.rsplit("::", 1)[0].rsplit(".py", 1)[1]
    return f"{item.path}{chain}::{item.originalname}"


def pytest_collection_finish(session):
    for item in session.items:
        around = [node for node in item.listchain() if isinstance(node, pytest.Class)]
        FOUND[absolute(item.nodeid, item.path)] = {
            "group": group(item) if hasattr(item, "callspec") else None,
            "classes": [absolute(node.nodeid, node.path) for node in around],
            "file": str((around[0] if around else item).parent.path),
        }


def pytest_runtest_protocol(item):
    PATHS[item.nodeid] = item.path


def pytest_runtest_logreport(report):
    if report.when == "call":
        RAN[absolute(report.nodeid, PATHS[report.nodeid])] = report.outcome


def pytest_sessionfinish(session):
    Path("seen.json").write_text(json.dumps({"found": FOUND, "ran": RAN}))
'''

GENERATED = ("test_source", "test_correctness[onnx-cpu]")


@pytest.fixture(params=["linear.onnx", "models/linear.onnx", "../elsewhere/linear.onnx"])
def file(request: pytest.FixtureRequest, pytester: pytest.Pytester) -> Path:
    """A model in one of several places, in a project with a test of the user's."""
    pytester.makepyfile(
        vscode_pytest=VSCODE, test_own="import pytest\n@pytest.mark.parametrize('x', [1])\ndef test_own(x): pass"
    )
    pytester.syspathinsert()
    path = (pytester.path / request.param).resolve()
    path.parent.mkdir(exist_ok=True, parents=True)
    linear(path)
    return path


def seen(folder: Path) -> dict[str, dict[str, object]]:
    answer: dict[str, dict[str, object]] = json.loads((folder / "seen.json").read_text(encoding="utf-8"))
    return answer


def test_vs_code_builds_its_tree_of_a_model_file_and_runs_one_test_of_it(
    pytester: pytest.Pytester, nav: Nav, file: Path
) -> None:
    options = ("-p", "vscode_pytest", f"--nav-model={file}", "--nav-no-profile", "-v")
    assert nav(*options, f"--rootdir={pytester.path}", ".", "--collect-only", formats="").ret == 0
    found = seen(pytester.path)["found"]
    own = f"{pytester.path}/test_own.py::test_own"
    assert found.pop(f"{own}[1]") == {"group": own, "classes": [], "file": f"{pytester.path}/test_own.py"}
    groups = dict(zip(GENERATED, (None, f"{file}::nav_model::test_correctness"), strict=True))
    suite = {"classes": [f"{file}::nav_model"], "file": str(file)}
    assert found == {f"{file}::nav_model::{name}": {"group": groups[name], **suite} for name in GENERATED}
    result = nav(*options, f"--rootdir={pytester.path}", "--nav-in-process", *found, formats="")
    assert result.ret == 0
    assert seen(pytester.path)["ran"] == dict.fromkeys(found, "passed")


def test_elsewhere_the_ids_are_the_files(pytester: pytest.Pytester, nav: Nav) -> None:
    """As PyCharm cuts them: at `::`, whatever is before the first one."""
    linear(pytester.path / "linear.onnx")
    result = nav("--nav-model=linear.onnx", "--nav-in-process", "-v", formats="")
    assert set(words(result)) == {*GENERATED}
    result.stdout.fnmatch_lines_random([f"linear.onnx::nav_model::{name.replace('[', '[[]')} *" for name in GENERATED])

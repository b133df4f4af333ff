"""The GitHub Action and the GitLab template, their steps run as a runner's shell does it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from documents import ROOT, blocks

from pytest_navigator.package.container.reader import open_package

ACTION = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
TEMPLATE = yaml.safe_load((ROOT / "ci" / "gitlab.yml").read_text(encoding="utf-8"))
DOCUMENT = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")

# The cheapest run that compares: one format, no figures.
CHEAP = "--nav-formats=onnx --nav-no-profile -p no:cacheprovider"

CONFTEST = """
import pytest
import torch


@pytest.fixture(scope="session")
def nav_model():
    return torch.nn.Sequential(torch.nn.Linear(5, 16), torch.nn.ReLU(), torch.nn.Linear(16, OUT)).eval()


@pytest.fixture(scope="session")
def nav_dataloader():
    return [torch.randn(batch, 5) for batch in (1, 3, 8)]
"""

# What `gh` is for the action: green runs, the newest first, each with what started it; every artifact is a folder.
GH = r"""#!/usr/bin/env bash
echo "gh $*" >> "$GH_CALLS"
case "$1 $2" in
  "run list") [[ -n $GH_FAILS ]] && { echo "HTTP 502" >&2; exit 1; }
    event=$(sed -n 's/.*--event \([a-z_]*\).*/\1/p' <<< "$*")
    grep -m1 "^$event" <<< "$GH_RUNS" | cut -d ' ' -f2 ;;
  "api "*) ls -d "$GH_ARTIFACTS"/* 2> /dev/null | xargs -rn1 basename ;;
  "run download") while [[ $# -gt 0 ]]; do
      case "$1" in --name) name=$2 ;; --dir) folder=$2 ;; esac; shift
    done
    mkdir -p "$folder"; cp "$GH_ARTIFACTS/$name"/* "$folder" ;;
esac
"""

# What `curl` is for the template: the address decides the status; the file is the artifact.
CURL = """#!/usr/bin/env bash
while [[ $# -gt 0 ]]; do
  if [[ $1 == --output ]]; then output=$2; fi
  shift
done
[[ $CURL_STATUS == 200 ]] && cp "$CURL_FILE" "$output"
printf '%s' "$CURL_STATUS"
"""


@dataclass
class Runner:
    """A machine that a job runs on: a project, a folder of tools, what the steps before have said."""

    folder: Path
    environment: dict[str, str]
    outputs: dict[str, dict[str, str]] = field(default_factory=dict)
    uploaded: dict[str, list[Path]] = field(default_factory=dict)

    def shell(self, script: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a script as `shell: bash` is run."""
        path = self.folder.parent / "step.sh"
        path.write_text(script, encoding="utf-8")
        return subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(path)],
            cwd=self.folder,
            env={**self.environment, **variables},
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    project, tools = tmp_path / "project", tmp_path / "tools"
    for path in (project, tools, tmp_path / "artifacts"):
        path.mkdir()
    (project / "conftest.py").write_text(CONFTEST.replace("OUT", "3"), encoding="utf-8")
    for name, text in (("gh", GH), ("curl", CURL)):
        (tools / name).write_text(text, encoding="utf-8")
        (tools / name).chmod(0o755)
    known = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST_", "NAV_", "GITHUB_", "CI"))}
    return Runner(
        project,
        {
            **known,
            "PATH": f"{tools}{os.pathsep}{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "GH_CALLS": str(tmp_path / "calls"),
            "GH_RUNS": "pull_request 4712\npush 4711\nworkflow_dispatch 4710\npush 4709",
            "GH_FAILS": "",
            "GH_ARTIFACTS": str(tmp_path / "artifacts"),
            "CURL_STATUS": "404",
            "CURL_FILE": str(tmp_path / "artifacts.zip"),
        },
    )


def action(runner: Runner, branch: str, **given: str) -> tuple[int, str]:
    """Run the steps of the action; returns the exit status of the first that failed, and all that was printed."""
    inputs = {name: str(field.get("default", "")) for name, field in ACTION["inputs"].items()} | given
    inputs["python"] = sys.executable
    github = {
        "GITHUB_REF": f"refs/heads/{branch}",
        "GITHUB_REPOSITORY": "shop/models",
        "GITHUB_WORKFLOW_REF": f"shop/models/.github/workflows/models.yml@refs/heads/{branch}",
    }
    status, printed = 0, ""
    for step in ACTION["runs"]["steps"]:
        if "run" in step and status == 0:
            output = runner.folder.parent / "output"
            output.write_text("", encoding="utf-8")
            variables = {name: value_of(text, inputs, runner) for name, text in step["env"].items()}
            ran = runner.shell(step["run"], **github, **variables, GITHUB_OUTPUT=str(output))
            printed, status = printed + ran.stdout, ran.returncode
            said = (line.partition("=") for line in output.read_text(encoding="utf-8").splitlines())
            runner.outputs[step.get("id", "")] = {name: value for name, _, value in said}
        elif step.get("uses", "").startswith("actions/upload-artifact@"):
            patterns = [value_of(line, inputs, runner) for line in step["with"]["path"].splitlines()]
            files = [path for pattern in patterns if pattern for path in runner.folder.glob(pattern)]
            runner.uploaded[value_of(step["with"]["name"], inputs, runner)] = files
    return status, printed


def value_of(text: str, inputs: dict[str, str], runner: Runner) -> str:
    """Return a text of the action with its expressions replaced, as GitHub does it."""

    def known(expression: re.Match[str]) -> str:
        kind, _, name = expression[1].partition(".")
        if kind == "inputs":
            return inputs[name]
        if kind == "steps":
            step, _, output = name.partition(".outputs.")
            return runner.outputs[step].get(output, "")
        return {"github.event.repository.default_branch": "main", "github.token": "t"}[expression[1]]

    return re.sub(r"\$\{\{ ([\w.-]+) \}\}", known, text)


def keep(runner: Runner, name: str = "models") -> None:
    """Let what a job has uploaded be what the next one finds."""
    target = Path(runner.environment["GH_ARTIFACTS"]) / name
    target.mkdir(exist_ok=True)
    for path in runner.uploaded[name]:
        shutil.copy(path, target)


def other_signature(runner: Runner) -> None:
    (runner.folder / "conftest.py").write_text(CONFTEST.replace("OUT", "4"), encoding="utf-8")


def test_every_value_reaches_a_script_of_the_action_through_its_environment() -> None:
    scripts = [step for step in ACTION["runs"]["steps"] if "run" in step]

    assert scripts
    assert all("${{" not in step["run"] and step["shell"] == "bash" for step in scripts)


def test_every_input_of_the_action_is_used_and_every_one_that_is_used_is_there() -> None:
    used = re.findall(r"inputs\.([\w-]+)", (ROOT / "action.yml").read_text(encoding="utf-8"))

    assert set(used) == set(ACTION["inputs"])


def test_the_document_writes_what_the_action_and_the_template_know() -> None:
    found = [parsed for block in blocks(DOCUMENT, "yaml") if isinstance(parsed := yaml.safe_load(block.text), dict)]
    steps = [
        step for document in found if "jobs" in document for job in document["jobs"].values() for step in job["steps"]
    ]
    ours = [step for step in steps if step.get("uses", "").startswith("pytest-navigator/")]
    jobs = [job for document in found for job in document.values() if isinstance(job, dict) and "extends" in job]

    assert ours
    assert all(set(step.get("with", {})) <= set(ACTION["inputs"]) for step in ours)
    assert jobs
    assert all(set(job.get("variables", {})) <= set(TEMPLATE[job["extends"]]["variables"]) for job in jobs)


@pytest.mark.slow
def test_the_default_branch_keeps_a_package_that_the_next_branch_is_compared_with(runner: Runner) -> None:
    status, printed = action(runner, "main", arguments=CHEAP)

    assert status == 0, printed
    assert "nothing is compared on main" in printed
    assert [path.name for path in runner.uploaded["models"]] == ["out.nav"]
    keep(runner)

    status, printed = action(runner, "better", arguments=CHEAP)

    assert status == 0, printed
    assert runner.outputs["baseline"]["path"] == ".nav-baseline/out.nav"
    with open_package(runner.folder / "out.nav") as package:
        assert [o.status for o in package.results.outcomes if o.step == "regression"]

    other_signature(runner)
    status, printed = action(runner, "worse", arguments=CHEAP)

    assert status == 1, printed
    assert "test_regression" in printed
    assert [path.name for path in runner.uploaded["models"]] == ["out.nav"]  # to be looked at, after a failure too


@pytest.mark.slow
def test_without_a_green_run_or_its_artifact_nothing_is_compared_and_a_warning_says_so(runner: Runner) -> None:
    runner.environment["GH_RUNS"] = "pull_request 4712"
    status, printed = action(runner, "first", arguments=f"{CHEAP} --collect-only")

    assert status == 0, printed
    assert "::warning title=pytest-navigator::no green run of main yet: nothing is compared" in printed

    runner.environment["GH_RUNS"] = "push 4711"
    status, printed = action(runner, "first", arguments=f"{CHEAP} --collect-only")

    assert status == 0, printed
    assert (
        "::warning title=pytest-navigator::the newest green run of main (4711) has no artifact models any more"
        in printed
    )


def test_a_pull_request_whose_branch_is_called_like_the_default_branch_is_no_baseline(runner: Runner) -> None:
    (Path(runner.environment["GH_ARTIFACTS"]) / "models").mkdir()
    (Path(runner.environment["GH_ARTIFACTS"]) / "models" / "out.nav").touch()

    action(runner, "any", arguments="--version")

    assert "gh run download 4711 " in Path(runner.environment["GH_CALLS"]).read_text(encoding="utf-8")


def test_a_default_branch_that_cannot_be_asked_fails_the_job(runner: Runner) -> None:
    runner.environment["GH_FAILS"] = "yes"

    status, printed = action(runner, "any", arguments="--collect-only")

    assert status != 0
    assert "HTTP 502" in printed


def test_a_path_is_taken_as_the_baseline_and_none_as_no_baseline(runner: Runner) -> None:
    for given, expected in (("kept/main.nav", "kept/main.nav"), ("none", "")):
        action(runner, "any", baseline=given, arguments="--version")

        assert runner.outputs["baseline"].get("path", "") == expected
    assert not Path(runner.environment["GH_CALLS"]).exists()


@pytest.mark.parametrize(
    ("package", "expected"), [("out.nav", "out.nav"), ("{model}.nav", "*.nav"), ("a b/{model}.nav", "a b/*.nav")]
)
def test_the_artifact_has_the_packages_of_all_models(package: str, expected: str, runner: Runner) -> None:
    action(runner, "main", package=package, arguments="--version")

    assert runner.outputs["names"]["package"] == expected
    assert runner.outputs["names"]["partial"] == expected.replace(".nav", ".partial.nav")


def test_arguments_are_split_as_a_shell_does_and_run_nothing(runner: Runner) -> None:
    status, printed = action(runner, "main", arguments="'-k linear;$(touch hacked)' --nosuch")

    assert status == 4
    assert "unrecognized arguments: --nosuch" in printed
    assert not (runner.folder / "hacked").exists()


def gitlab(runner: Runner, branch: str, **given: str) -> subprocess.CompletedProcess[str]:
    """Run the job of the template, which is one script to its shell."""
    job = TEMPLATE[".pytest-navigator"]
    variables = {
        "CI_COMMIT_BRANCH": branch,
        "CI_DEFAULT_BRANCH": "main",
        "CI_JOB_NAME": "models",
        "CI_API_V4_URL": "server",
        "CI_PROJECT_ID": "1",
        "CI_JOB_TOKEN": "t",
    }
    return runner.shell("\n".join(job["script"]), **variables, **(job["variables"] | given))


@pytest.mark.slow
def test_a_job_of_gitlab_compares_with_the_artifact_of_the_default_branch(runner: Runner) -> None:
    cheap: dict[str, Any] = {"NAVIGATOR_ARGUMENTS": CHEAP}
    ran = gitlab(runner, "main", **cheap)

    assert ran.returncode == 0, ran.stdout
    assert "nothing is compared on main" in ran.stdout
    paths = TEMPLATE[".pytest-navigator"]["artifacts"]
    assert all((runner.folder / name).is_file() for name in (paths["reports"]["junit"], "nav-report.html", "out.nav"))

    shutil.make_archive(runner.environment["CURL_FILE"].removesuffix(".zip"), "zip", runner.folder, "out.nav")
    runner.environment["CURL_STATUS"] = "200"
    other_signature(runner)
    ran = gitlab(runner, "worse", **cheap)

    assert ran.returncode == 1, ran.stdout
    assert "test_regression" in ran.stdout


@pytest.mark.parametrize(
    ("status", "code", "said"),
    [
        ("404", 0, "no success of models on main yet: nothing is compared"),
        ("502", 1, "status 502 of server/projects/1/"),
    ],
)
def test_a_job_of_gitlab_fails_if_the_server_does_and_not_if_there_is_no_package_yet(
    status: str, code: int, said: str, runner: Runner
) -> None:
    runner.environment["CURL_STATUS"] = status

    ran = gitlab(runner, "new", NAVIGATOR_ARGUMENTS="--version")

    assert (ran.returncode, said in ran.stdout) == (code, True), ran.stdout

"""GitLab's report of annotations: links from the page of a job to what the run wrote (pure)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import quote

from pytest_navigator.core.remote import Url

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pytest_navigator.reporting.run_report import RunReport

SECTION = "pytest-navigator"


def render(links: Sequence[Mapping[str, str]]) -> str:
    """Return the file that `artifacts: reports: annotations` names."""
    return json.dumps({SECTION: [{"external_link": dict(link)} for link in links]}, indent=1) + "\n"


def links(run: RunReport, files: Mapping[str, Path], job: str, project: Path) -> list[dict[str, str]]:
    """Return label and address of each file that the job can keep as its artifact.

    Args:
        files: what each is -> its path; one outside of the project is no artifact of GitLab's.
        job: the job's own address; project: the folder that the paths of artifacts start from.
    """
    verdict = "failed" if run.failed else "passed"
    named = {f"{what} ({verdict})": path for what, path in files.items()}
    packages = [*(model.package for model in run.models), *(pipeline.package for pipeline in run.pipelines)]
    named |= {package.name: package for package in packages if package is not None and not isinstance(package, Url)}
    root = project.resolve()
    kept = {label: path.resolve() for label, path in named.items() if path.resolve().is_relative_to(root)}
    return [{"label": label, "url": _address(job, path, root)} for label, path in kept.items()]


def _address(job: str, path: Path, project: Path) -> str:
    return f"{job}/artifacts/file/{quote(path.relative_to(project).as_posix())}"

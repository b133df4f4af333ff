"""A page as plain texts -> HTML: every text is escaped, nothing is loaded from elsewhere, nothing runs."""

from __future__ import annotations

from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_navigator.core.privacy import scrubbed, scrubber
from pytest_navigator.errors import ConfigError
from pytest_navigator.reporting.html.view import page
from pytest_navigator.text import printable

if TYPE_CHECKING:
    from pytest_navigator.reporting.run_report import RunReport

HERE = Path(__file__).parent


def check_installed() -> None:
    """Find out before a run whether its report could be written after it.

    Raises:
        ConfigError: the extra is not installed.
    """
    if find_spec("jinja2") is None:
        raise ConfigError(
            "a report in HTML needs jinja2, which is not installed: pip install 'pytest-navigator[report]'"
        )


def render(run: RunReport) -> str:
    """Return the file. It needs jinja2, from the extra `report`."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    style = Markup((HERE / "style.css").read_text(encoding="utf-8"))  # ours, and no text of anybody else's
    scrub = scrubber()
    content = scrubbed(asdict(page(run)), lambda text: printable(scrub(text)))
    return environment.get_template("page.html").render(page=content, style=style) + "\n"

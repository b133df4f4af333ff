"""The page of `--nav-report` in a real browser: what it makes of it, and a picture of it for who wants to look.

`NAV_SCREENSHOTS=DIR` keeps the pictures.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from pytest_navigator.reporting.html.rendering import render
from tests.reporting.pages import Elements, hostile, ten_models

NAMES = ("chromium", "chromium-browser", "google-chrome")
BROWSER = next(filter(None, map(shutil.which, NAMES)), "")
PNG = b"\x89PNG\r\n\x1a\n"

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not BROWSER, reason="no Chromium to look at the page with")]


def browse(folder: Path, page: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    (folder / "page.html").write_text(page, encoding="utf-8")
    own = ("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--enable-logging=stderr")
    profile = f"--user-data-dir={folder / 'profile'}"
    command = [BROWSER, *own, profile, *arguments, (folder / "page.html").as_uri()]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == 0, ran.stderr
    assert "CONSOLE" not in ran.stderr, ran.stderr  # a style or an address that its own policy refuses
    return ran


def test_the_browser_finds_every_section_plot_and_table(tmp_path: Path) -> None:
    page = render(ten_models())
    found, written = Elements(browse(tmp_path, page, "--dump-dom").stdout), Elements(page)

    assert [own["id"] for own in found.of("h2")] == ["models", *(f"model-{i}" for i in range(1, 11))]
    for tag in ("svg", "table", "article", "details", "rect", "polyline"):
        assert len(found.of(tag)) == len(written.of(tag)) > 0
    assert "10 of 10 models failed, for 3 causes" in found.text


def test_names_that_are_attacks_do_nothing(tmp_path: Path) -> None:
    found = Elements(browse(tmp_path, render(hostile()), "--dump-dom").stdout)

    assert next(text for text in found.said if text.strip()) == "Failed: 2 of 2 models failed, for 4 causes"
    assert {"script", "img"} & {tag for tag, _ in found.found} == set()
    assert "<script>document.title = 'taken over'</script>" in found.text


@pytest.mark.parametrize(
    ("name", "width", "arguments"),
    [
        ("light", 1100, ()),
        ("dark", 1100, ("--force-dark-mode", "--blink-settings=preferredColorScheme=0")),
        ("narrow", 500, ()),
    ],
)
def test_it_can_be_seen(tmp_path: Path, name: str, width: int, arguments: tuple[str, ...]) -> None:
    folder = Path(os.environ.get("NAV_SCREENSHOTS", tmp_path)).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    picture = folder / f"report-{name}.png"
    browse(tmp_path, render(ten_models()), f"--window-size={width},2400", f"--screenshot={picture}", *arguments)

    assert picture.read_bytes().startswith(PNG)
    assert picture.stat().st_size > 20_000  # an empty one has a tenth of that

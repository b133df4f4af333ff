"""Whatever a package says: reading it and using what was read raises our own errors, with nothing else behind them."""

from __future__ import annotations

import copy
import os
import random
import traceback
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import fuzzing
import pytest

import pytest_navigator as nav
from pytest_navigator.errors import NavigatorError
from pytest_navigator.gates.row_text import row_line
from pytest_navigator.package.container.copying import write_copy
from pytest_navigator.package.container.reader import open_package
from pytest_navigator.package.container.writer import pack
from pytest_navigator.package.merge.differences import differences
from pytest_navigator.package.merge.joined_files import join
from pytest_navigator.package.source import source_of
from pytest_navigator.reporting.report import summary
from pytest_navigator.text import one_line

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_navigator.package.container.reader import PackageFile

pytestmark = pytest.mark.slow

COUNT = int(os.environ.get("NAV_FUZZ", 1000))
WRITTEN = 8
"""Every how many of those that can be opened are saved and merged, too."""

FOREIGN = 0.3
"""The share that has nothing of ours in it, as Model Navigator writes it."""

SEED = 20260228


@pytest.fixture
def whole(workspace: Callable[..., Path], tmp_path: Path) -> Path:
    environment = {"cpu": {"name": "cpu"}, "python_packages": {"onnx": "1"}}
    return pack(workspace(), tmp_path / "whole.nav", environment=environment)


def used(path: Path, other: PackageFile, *, written: bool) -> None:
    """Do everything that reads a package and needs no framework; raise what is not our own error."""
    with nav.load(path) as package:
        file, results = package._file, package.results
        assert repr(package)
        package.get_formats_status()
        package.get_formats_performance()
        for key, name in results.cells():
            for call in (package.get_status, package.is_verified):
                _ours(call, key, name)
            _ours(package.get_runner, key, runtime=name)
        for strategy in (None, nav.MaxThroughputStrategy(), nav.MinLatencyStrategy()):
            _ours(package.get_best, strategy)
        for variant in results.suite.variants:
            _ours(package.get_path, variant.key)
            _ours(package.set_verified, variant.key)
        _ours(file.verify)
        summary(package.results)
        for pair in ((file, other), (other, file)):
            [one_line(row_line(each)) for each in differences(*pair, latency=0.2)]
        with suppress(NavigatorError):
            source_of(file).config()
        if written:
            _ours(write_copy, file, package.results, path.with_name("saved.nav"), override=True, save_data=False)
            for files in ([file, other], [other, file]):
                _ours(join, files, path.with_name("merged.nav"), override=True, keep_conflicts=True)


def _ours(call: Callable[..., object], *arguments: Any, **keywords: Any) -> None:
    with suppress(NavigatorError):
        call(*arguments, **keywords)


def fuzzed(whole: Path, change: Callable[[random.Random], bytes], offset: int) -> tuple[int, dict[str, list[int]]]:
    """Make and use packages; returns how many could be opened, and the seeds of each error that is not ours."""
    path, opened = whole.with_name("fuzzed.nav"), 0
    wrong: dict[str, list[int]] = {}
    with open_package(whole) as other:
        for number in range(COUNT):
            path.write_bytes(change(random.Random(SEED + offset + number)))
            try:
                used(path, other, written=number % WRITTEN == 0)
                opened += 1
            except NavigatorError:
                continue
            except Exception as error:
                place = traceback.extract_tb(error.__traceback__)[-1]
                found = f"{type(error).__name__}: {str(error)[:150]} ({place.filename}:{place.lineno})"
                wrong.setdefault(found, []).append(number)
    return opened, wrong


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing has to survive a power failure here, and who writes the YAML does not matter."""
    monkeypatch.setattr("os.fsync", lambda handle: None)
    monkeypatch.setattr("pytest_navigator.package.container.copying.dump", fuzzing.dumped)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["values", "structure"])
def test_no_value_and_no_structure_raises_another_error(whole: Path, kind: str) -> None:
    content, change = whole.read_bytes(), getattr(fuzzing, kind)
    ours = fuzzing.status_of(content)
    theirs = {name: value for name, value in ours.items() if name != "pytest_navigator"}

    def made(chance: random.Random) -> bytes:
        changed = copy.deepcopy(theirs if chance.random() < FOREIGN else ours)
        change(changed, chance)
        return fuzzing.rewritten(content, lambda _: fuzzing.dumped(changed))

    opened, wrong = fuzzed(whole, made, 0)
    assert wrong == {}
    assert opened > COUNT / 10


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["text", "flipped"])
def test_no_text_and_no_bytes_raise_another_error(whole: Path, kind: str) -> None:
    content = whole.read_bytes()

    def made(chance: random.Random) -> bytes:
        if kind == "text":
            return fuzzing.rewritten(content, lambda text: fuzzing.text(text, chance))
        return fuzzing.flipped(content, chance)

    assert fuzzed(whole, made, 20_000)[1] == {}

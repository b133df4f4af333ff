"""A workspace as messages: whole or not at all, and never elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_navigator.engine.sending import CHUNK, Receiver, messages, note_machine
from pytest_navigator.engine.workspace import Workspace

if TYPE_CHECKING:
    from pathlib import Path

BIG = b"0123456789" * (CHUNK // 4)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """A workspace of the run "1" with one suite in it."""
    found = Workspace(tmp_path / "there")
    found.claim("1").release()
    suite = found.root / "linear-0a1b2c"
    for name in ("suite.json", ".steps/source.json", ".steps/source.lock", ".earlier/old", "onnx/model.onnx"):
        (suite / name).parent.mkdir(parents=True, exist_ok=True)
        (suite / name).write_bytes(BIG if name.endswith("onnx") else b"{}")
    (suite / "link").symlink_to("/etc/hostname")
    note_machine(found, {"git": None})
    return found


def test_what_is_sent_is_what_is_there(workspace: Workspace, tmp_path: Path) -> None:
    receiver = Receiver(tmp_path / "here")
    for message in messages(str(workspace.root), "1"):
        assert not isinstance(message, bytes) or len(message) <= CHUNK
        receiver.take(message)

    assert (receiver.ended, receiver.problem, receiver.machine()) == (True, "", {"git": None})
    suite = receiver.folder / "linear-0a1b2c"
    assert (suite / "onnx/model.onnx").read_bytes() == BIG
    found = {path.relative_to(suite).as_posix() for path in suite.rglob("*") if path.is_file()}
    assert found == {"suite.json", ".steps/source.json", "onnx/model.onnx"}


@pytest.mark.parametrize("count", [0, 1, 4, -1])
def test_what_stops_in_the_middle_is_not_whole(workspace: Workspace, tmp_path: Path, count: int) -> None:
    receiver = Receiver(tmp_path / "here")
    for message in list(messages(str(workspace.root), "1"))[:count]:
        receiver.take(message)
    receiver.stop("the connection is lost")

    assert (receiver.ended, receiver.problem) == (False, "the connection is lost")


def test_the_workspace_of_another_run_is_not_sent(workspace: Workspace, tmp_path: Path) -> None:
    workspace.claim("2").release()
    receiver = Receiver(tmp_path / "here")
    for message in messages(str(workspace.root), "1"):
        receiver.take(message)

    assert not receiver.ended
    assert "is not this run's workspace any more" in receiver.problem


@pytest.mark.parametrize("name", ["../out", "/out", "a/../../out", "a//b", "a\\b", ""])
def test_no_name_leads_out_of_the_folder(tmp_path: Path, name: str) -> None:
    receiver = Receiver(tmp_path / "here")
    receiver.take(("file", name))
    receiver.take(b"content")

    assert "leads elsewhere" in receiver.problem
    assert not list(tmp_path.rglob("out"))


def test_several_processes_of_a_host_join_one_run(tmp_path: Path) -> None:
    first, second = Workspace(tmp_path / "there"), Workspace(tmp_path / "there")
    lock = first.join("1")
    assert lock is not None
    assert second.join("1") is None
    lock.release()
    assert second.join("1") is None  # the first one has died, and what it found is kept
    later = second.join("2")
    assert later is not None
    later.release()

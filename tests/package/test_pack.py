from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import yaml

from pytest_navigator.core.steps import Status
from pytest_navigator.devices.environment import git_state
from pytest_navigator.errors import ConfigError, PackageError
from pytest_navigator.package.container.reader import open_package
from pytest_navigator.package.container.writer import pack
from tests.package.recorded import DIGEST, ONNX_BYTES, outcomes, verify

if TYPE_CHECKING:
    from pathlib import Path

Build = "Callable[..., Path]"

FIXED = {"environment": {"os": {"name": "posix"}}, "uuid": "0", "timestamp": "2026-02-22T15:34:40.000000"}

LAYOUT = {
    "navigator.log",
    *(
        f"{side}/{kind}/0.npz"
        for side in ("model_input", "model_output")
        for kind in ("batches", "correctness", "conversion", "profiling")
    ),
    *(f"torchscript-trace/{name}" for name in ("model.pt", "config.yaml", "format.log")),
    *(f"onnx/{name}" for name in ("model.onnx", "config.yaml", "format.log")),
    *(f"{key}/reproduce_export.{end}" for key in ("onnx", "torchscript-trace") for end in ("py", "sh")),
    "torchscript-script/format.log",
}


def contents(path: Path) -> set[str]:
    with open_package(path) as package:
        package.verify()
        return set(package.files())


def test_a_package_has_the_layout_of_model_navigator(workspace: Build, tmp_path: Path) -> None:
    path = pack(workspace(), tmp_path / "out.nav", **FIXED)

    assert path == tmp_path / "out.nav"
    assert contents(path) == LAYOUT
    with zipfile.ZipFile(path) as archive:
        infos = archive.infolist()
    assert infos[0].filename == "status.yaml"
    assert {info.compress_type for info in infos} == {zipfile.ZIP_STORED}


def test_the_workspace_looks_like_the_package(workspace: Build, tmp_path: Path) -> None:
    folder = workspace()
    path = pack(folder, tmp_path / "out.nav", **FIXED)

    with open_package(path) as package:
        for name in ("status.yaml", *package.files()):
            assert package.read(name) == (folder / name).read_bytes(), name


def test_what_was_packed_is_what_is_read(workspace: Build, tmp_path: Path) -> None:
    with open_package(pack(workspace(), tmp_path / "out.nav", **FIXED)) as package:
        assert package.read("onnx/model.onnx") == ONNX_BYTES
        assert package.files()["onnx/model.onnx"] == DIGEST
        assert package.status["pytest_navigator"]["steps"]["export.onnx"]["digest"] == DIGEST
        assert package.complete


def test_the_same_workspace_packs_to_the_same_bytes(workspace: Build, tmp_path: Path) -> None:
    folder = workspace()
    first = pack(folder, tmp_path / "first.nav").read_bytes()
    for path in folder.rglob("*.npz"):
        os.utime(path, (1, 1))

    assert pack(folder, tmp_path / "second.nav").read_bytes() == first


def test_another_workspace_packs_to_another_package(workspace: Build, tmp_path: Path) -> None:
    folder = workspace()
    found = []
    for content in (b"first", b"second"):
        (folder / "onnx" / "model.onnx").write_bytes(content)
        with open_package(pack(folder, tmp_path / "out.nav")) as package:
            found.append(package.status["uuid"])
            # The last step began at 15:34:33 and took 2 s.
            assert package.status["timestamp"] == "2026-02-22T15:34:35.000000"

    assert found[0] != found[1]


def test_packing_again_replaces_the_package(workspace: Build, tmp_path: Path) -> None:
    folder, target = workspace(), tmp_path / "deep" / "er" / "out.nav"
    pack(folder, target, **FIXED)
    (folder / "onnx" / "model.onnx").write_bytes(b"newer")
    pack(folder, target, **FIXED)

    with open_package(target) as package:
        assert package.read("onnx/model.onnx") == b"newer"
    assert [path.name for path in target.parent.iterdir()] == ["out.nav"]


def test_a_model_may_be_a_folder(workspace: Build, tmp_path: Path) -> None:
    folder = workspace()
    (folder / "onnx" / "model.savedmodel" / "variables").mkdir(parents=True)
    (folder / "onnx" / "model.savedmodel" / "variables" / "data").write_bytes(b"weights")

    assert "onnx/model.savedmodel/variables/data" in contents(pack(folder, tmp_path / "out.nav", **FIXED))


def test_hidden_files_and_records_are_not_packed(workspace: Build, tmp_path: Path) -> None:
    folder = workspace()
    (folder / "onnx" / ".cache").write_text("x")

    names = contents(pack(folder, tmp_path / "out.nav", **FIXED))
    assert names == LAYOUT


def test_links_out_of_the_workspace_are_named_and_not_followed(workspace: Build, tmp_path: Path) -> None:
    folder = workspace()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "key.txt").write_text("private")
    (folder / "onnx" / "key.txt").symlink_to(tmp_path / "elsewhere" / "key.txt")
    (folder / "onnx" / "assets").symlink_to(tmp_path / "elsewhere")
    (folder / "onnx" / "again.onnx").symlink_to("model.onnx")

    with open_package(pack(folder, tmp_path / "out.nav", **FIXED)) as package:
        assert set(package.files()) == LAYOUT | {"onnx/again.onnx"}
        assert package.details["left_out"] == {
            "onnx/assets": "a link out of the workspace",
            "onnx/key.txt": "a link out of the workspace",
        }


def test_a_name_that_readers_would_refuse_is_left_out(workspace: Build, tmp_path: Path) -> None:
    folder = workspace()
    (folder / "onnx" / "a\\b").write_text("x")

    with open_package(pack(folder, tmp_path / "out.nav", **FIXED)) as package:
        assert package.details["left_out"] == {"onnx/a\\b": "not a portable name"}


MODELS = {"onnx/model.onnx", "torchscript-trace/model.pt"}


@pytest.mark.parametrize(
    ("keep", "required", "models"),
    [
        ("all", (), MODELS),
        ("none", (), set()),
        # torchscript-trace is the only file that passed correctness; the live model is faster, but in no package.
        ("best", (), {"torchscript-trace/model.pt"}),
        ("required", ("onnx",), {"onnx/model.onnx"}),
        ("required", ("onnx-cpu",), {"onnx/model.onnx"}),
        ("required", ("torchscript",), {"torchscript-trace/model.pt"}),
        # It is made from onnx, which its reproduction needs.
        ("required", ("trt-fp16",), {"onnx/model.onnx"}),
    ],
)
def test_keep_decides_which_models_are_packed(
    workspace: Build, tmp_path: Path, keep: str, required: tuple[str, ...], models: set[str]
) -> None:
    path = pack(workspace(), tmp_path / "out.nav", keep=keep, required=required, **FIXED)

    with open_package(path) as package:
        assert set(package.files()) == LAYOUT - MODELS | models
        assert package.details["left_out"] == dict.fromkeys(MODELS - models, f"keep={keep}")
        assert package.details["steps"]["export.onnx"]["digest"] == DIGEST
        for name in sorted(MODELS - models):
            with pytest.raises(PackageError, match=rf"left out \(keep={keep}\)"):
                package.read(name)


def test_samples_can_stay_at_home(workspace: Build, tmp_path: Path) -> None:
    path = pack(workspace(), tmp_path / "out.nav", save_data="none", **FIXED)

    with open_package(path) as package:
        assert set(package.files()) == {name for name in LAYOUT if not name.startswith("model_")}
        assert "value_ranges" not in yaml.safe_load(package.read("onnx/config.yaml"))


@pytest.mark.parametrize("option", ["keep", "save_data"])
def test_an_unknown_word_is_refused(workspace: Build, tmp_path: Path, option: str) -> None:
    with pytest.raises(ConfigError, match=f"unknown {option} 'alll'; did you mean 'all'"):
        pack(workspace(), tmp_path / "out.nav", **{option: "alll"}, **FIXED)


def test_a_file_of_the_user_that_appeared_during_the_run_stays(workspace: Build, tmp_path: Path) -> None:
    (tmp_path / "out.nav").write_text("years of work")

    with pytest.raises(PackageError, match=r"out\.nav: this file is no package and would be lost"):
        pack(workspace(), tmp_path / "out.nav", **FIXED)

    assert (tmp_path / "out.nav").read_text() == "years of work"
    assert [path.name for path in tmp_path.iterdir() if "out.nav" in path.name] == ["out.nav"]


def test_an_incomplete_run_leaves_the_complete_package_alone(workspace: Build, tmp_path: Path) -> None:
    folder, target = workspace(), tmp_path / "out.nav"
    before = pack(folder, target, **FIXED).read_bytes()

    partial = pack(folder, target, complete=False, **FIXED)

    assert partial == tmp_path / "out.partial.nav"
    assert target.read_bytes() == before
    with open_package(partial) as package:
        assert not package.complete


def test_a_step_without_an_outcome_makes_a_package_partial(workspace: Build, tmp_path: Path) -> None:
    steps = outcomes()
    folder = workspace(steps)
    next((folder / ".steps").glob("profile.torch.*")).unlink()
    (folder / ".steps" / "profile.torch.TorchCPU.batch1.started").write_text("1")

    path = pack(folder, tmp_path / "out.nav", **FIXED)

    assert path.name == "out.partial.nav"
    with open_package(path) as package:
        assert package.details["missing"] == package.details["unfinished"] == ["profile.torch.TorchCPU.batch1"]
        assert "Not run: profile.torch.TorchCPU.batch1" in package.read("navigator.log").decode()


def test_a_run_whose_source_failed_is_packed(workspace: Build, tmp_path: Path) -> None:
    folder = workspace([replace(outcomes()[0], status=Status.FAILED)])
    (folder / "signature.json").unlink()

    with open_package(pack(folder, tmp_path / "out.nav", **FIXED)) as package:
        assert package.status["input_metadata"] is None


def test_the_package_is_one_that_everybody_may_read(workspace: Build, tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        path = pack(workspace(), tmp_path / "out.nav", **FIXED)
    finally:
        os.umask(before)

    assert path.stat().st_mode & 0o777 == 0o644


def test_a_folder_that_is_no_suite_is_named(tmp_path: Path) -> None:
    with pytest.raises(PackageError, match=r"no suite's folder of a workspace: it has no suite\.json"):
        pack(tmp_path, tmp_path / "out.nav")


def test_a_record_that_cannot_be_read_is_named(workspace: Build, tmp_path: Path) -> None:
    folder = workspace()
    (folder / ".steps" / "export.onnx.9.json").write_text('{"step": "export"')

    with pytest.raises(PackageError, match=r"export\.onnx\.9\.json is damaged \(Expecting ',' delimiter"):
        pack(folder, tmp_path / "out.nav", **FIXED)


def test_a_file_that_changes_while_it_is_packed_is_noticed(
    workspace: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, target = workspace(), tmp_path / "out.nav"
    before = pack(folder, target, **FIXED).read_bytes()

    def replaced(path: Path, content: bytes) -> None:
        path.write_bytes(content)
        (folder / "onnx" / "model.onnx").write_bytes(b"another model")

    # status.yaml is written between taking the digests and copying the files.
    monkeypatch.setattr("pytest_navigator.package.container.writer._write_texts", lambda *args: None)
    monkeypatch.setattr("pytest_navigator.package.container.writer.write_atomically", replaced)

    with pytest.raises(PackageError, match=r"onnx/model\.onnx changed while it was packed"):
        pack(folder, target, **FIXED)
    assert target.read_bytes() == before


FULL_DISK = """
import resource, sys
from pathlib import Path
from pytest_navigator.errors import PackageError
from pytest_navigator.package.container.writer import pack
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
try:
    pack(Path(sys.argv[1]), Path(sys.argv[2]), environment={})
except PackageError as error:
    print(error)
"""


def test_a_full_disk_leaves_the_old_package_and_nothing_else(workspace: Build, tmp_path: Path) -> None:
    folder, target = workspace(), tmp_path / "out.nav"
    before = pack(folder, target, **FIXED).read_bytes()
    (folder / "onnx" / "model.onnx").write_bytes(bytes(150_000))
    (folder / "torchscript-trace" / "model.pt").write_bytes(bytes(150_000))
    there = sorted(tmp_path.iterdir())

    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, folder, target], capture_output=True, text=True, check=True, timeout=60
    )

    assert done.stdout.startswith(f"cannot write {target}: File too large; what was there before is untouched")
    assert target.read_bytes() == before
    assert sorted(tmp_path.iterdir()) == there


def test_an_interrupt_leaves_the_old_package_and_nothing_else(
    workspace: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, target = workspace(), tmp_path / "out.nav"
    before = pack(folder, target, **FIXED).read_bytes()

    def interrupted(descriptor: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("pytest_navigator.package.zip.archive.os.fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        pack(folder, target, **FIXED)

    assert target.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["out.nav"]


KILLED = """
import os, signal, sys
from pathlib import Path
from pytest_navigator.package.container import writer
from pytest_navigator.package.zip import archive
writer.write_atomically = print  # the records are renamed too: kill only at the package
archive.os.replace = lambda *paths: os.kill(os.getpid(), signal.SIGKILL)
writer.pack(Path(sys.argv[1]), Path(sys.argv[2]), environment={})
"""


def test_a_kill_at_the_last_moment_leaves_the_old_package(workspace: Build, tmp_path: Path) -> None:
    folder, target = workspace(), tmp_path / "out.nav"
    before = pack(folder, target, **FIXED).read_bytes()
    done = subprocess.run([sys.executable, "-c", KILLED, folder, target], capture_output=True, check=False, timeout=60)

    assert done.returncode == -9
    assert target.read_bytes() == before


def test_the_link_at_the_path_stays_a_link(workspace: Build, tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "out.nav").symlink_to(tmp_path / "store" / "real.nav")

    pack(workspace(), tmp_path / "out.nav", **FIXED)

    assert (tmp_path / "out.nav").is_symlink()
    assert contents(tmp_path / "store" / "real.nav") == LAYOUT


AUTHOR = ("-c", "user.name=Jane", "-c", "user.email=jane@example.org")


def test_nothing_private_is_packed(workspace: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "private-home"))
    monkeypatch.setenv("HF_TOKEN", "hf_0123456789abcdef")
    monkeypatch.setenv("EDITOR", "an-editor-nobody-else-uses")
    root = tmp_path / "private-home" / "repo"
    root.mkdir(parents=True)
    for command in (
        ["git", "init", "-q", "-b", "main"],
        ["git", "remote", "add", "origin", "https://jane:hunter2secret@example.org/repo.git"],
        ["git", *AUTHOR, "commit", "-q", "--allow-empty", "-m", "x"],
    ):
        subprocess.run(command, cwd=root, check=True, capture_output=True)
    trouble = f"File {root}/model.py of /home/jane/x, token hf_0123456789abcdef, https://jane:hunter2secret@example.org"
    steps = outcomes()
    steps[1] = replace(steps[1], message=trouble, detail=trouble)
    folder = workspace(steps, settings={"atol": {"value": 1e-5, "origin": trouble}})
    (folder / "onnx" / "format.log").write_text(trouble)

    path = pack(folder, tmp_path / "out.nav", git=git_state(root))

    packed = path.read_bytes()
    for secret in ("hunter2secret", "hf_0123", "private-home", "jane", "Jane", "an-editor"):
        assert secret.encode() not in packed, secret
    with open_package(path) as package:
        assert package.details["git"]["url"] == "https://example.org/repo.git"
        assert "File ~/repo/model.py of ~/x, token ***, https://example.org" in package.read("onnx/format.log").decode()


def test_verify_records_travel_with_the_package(workspace: Build, tmp_path: Path) -> None:
    path = pack(workspace([*outcomes(), verify("onnx", "OnnxCPU")]), tmp_path / "out.nav", **FIXED)

    with open_package(path) as package:
        assert package.details["verified"] == ["onnx/OnnxCPU"]

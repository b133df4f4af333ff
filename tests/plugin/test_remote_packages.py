"""`--nav-package=URL` and `--nav-baseline=URL`: packages go to a bucket, and later runs are judged by them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from blackbox import words

import pytest_navigator as nav
from pytest_navigator.cli import main
from pytest_navigator.errors import PackageError
from pytest_navigator.package.container.reader import open_package
from tests.object_store import Cut, speak_to

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from blackbox import Fake, Nav

    from tests.object_store import Bucket


@pytest.fixture
def run(dense: Fake, nav: Nav, monkeypatch: pytest.MonkeyPatch) -> Callable[..., pytest.RunResult]:
    monkeypatch.setenv("COLUMNS", "300")
    dense(name="'linear'")
    return lambda *arguments, **more: nav("--nav-in-process", *arguments, formats="", **more)


def opened(content: bytes, folder: Path) -> dict[str, str]:
    """Return name -> digest of the files of a package, all of which are whole."""
    path = folder / "fetched.nav"
    path.write_bytes(content)
    with open_package(path) as package:
        package.verify()
        assert package.complete
        return package.files()


def test_a_package_goes_to_a_bucket_and_nothing_of_it_stays(
    run: Callable[..., pytest.RunResult], s3: Bucket, tmp_path: Path, pytester: pytest.Pytester
) -> None:
    result = run(f"--nav-package={s3.url}/main/{{model}}.nav", "--nav-json=out.json")
    assert set(words(run("-v")).values()) == {"PASSED"}
    assert s3.names() == ["main/linear.nav"]
    assert "fake/model.npz" in opened(s3.read("main/linear.nav"), tmp_path)
    result.stdout.fnmatch_lines([f"package: {s3.url}/main/linear.nav"])
    assert f'"package": "{s3.url}/main/linear.nav"' in (pytester.path / "out.json").read_text()
    assert not (pytester.path / "navigator_workspace" / "packages" / "linear").exists()
    assert not list(pytester.path.glob("**/*.nav"))


def test_a_part_goes_beside_the_whole(run: Callable[..., pytest.RunResult], s3: Bucket) -> None:
    run(f"--nav-package={s3.url}/main.nav")
    before = s3.read("main.nav")
    run(f"--nav-package={s3.url}/main.nav", "-k", "test_source")
    assert s3.names() == ["main.nav", "main.partial.nav"]
    assert s3.read("main.nav") == before


@pytest.mark.parametrize("model", ["main", "{model}"])
def test_a_baseline_comes_from_a_bucket(
    run: Callable[..., pytest.RunResult], s3: Bucket, pytester: pytest.Pytester, model: str
) -> None:
    url = f"{s3.url}/{model}.nav"
    first = run(f"--nav-package={url}", f"--nav-baseline={url}", "-v")
    assert first.ret == pytest.ExitCode.OK
    assert words(first)["test_regression[fake-cpu]"] == "SKIPPED"
    before = s3.read(s3.names()[0])
    second = run(f"--nav-package={url}", f"--nav-baseline={url}", "-v")
    assert words(second)["test_regression[fake-cpu]"] == "PASSED"
    assert s3.read(s3.names()[0]) != before
    assert not (pytester.path / "navigator_workspace" / ".remote").exists()


def test_what_is_worse_than_its_baseline_does_not_replace_it(
    run: Callable[..., pytest.RunResult], s3: Bucket, pytester: pytest.Pytester
) -> None:
    url = f"{s3.url}/main.nav"
    run(f"--nav-package={url}")
    before = s3.read("main.nav")
    conftest = pytester.path / "conftest.py"
    conftest.write_text(conftest.read_text().replace("FakeConfig()", "FakeConfig(mode='raise', where='export')"))
    result = run(f"--nav-package={url}", f"--nav-baseline={url}")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert s3.read("main.nav") == before


def test_models_of_a_baseline_that_are_not_in_the_run_are_named(
    run: Callable[..., pytest.RunResult], s3: Bucket
) -> None:
    run(f"--nav-package={s3.url}/main/{{model}}.nav")
    s3.write("main/other.nav", s3.read("main/linear.nav"))
    result = run(f"--nav-baseline={s3.url}/main/{{model}}.nav")
    result.stdout.fnmatch_lines([f"not judged: other ({s3.url}/main/other.nav) of --nav-baseline: *"])


def test_an_upload_that_is_refused_fails_the_run_and_keeps_the_package(
    run: Callable[..., pytest.RunResult], s3: Bucket, pytester: pytest.Pytester, tmp_path: Path
) -> None:
    s3.deny("PutObject")
    result = run(f"--nav-package={s3.url}/main.nav")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    (kept,) = pytester.path.glob("navigator_workspace/packages/*/main.nav")
    result.stdout.fnmatch_lines(
        [
            f"ERROR: no package was written: {s3.url}/main.nav cannot be written (Forbidden); "
            f"the package itself is {kept}"
        ]
    )
    opened(kept.read_bytes(), tmp_path)
    s3.allow()
    assert main(["pack", "navigator_workspace", "-o", f"{s3.url}/{{model}}.nav"]) == 0
    opened(s3.read("linear.nav"), tmp_path)


def test_a_server_that_dies_in_an_upload_has_what_it_had(
    run: Callable[..., pytest.RunResult], mortal: Bucket, monkeypatch: pytest.MonkeyPatch, pytester: pytest.Pytester
) -> None:
    mortal.write("main.nav", b"")
    way = Cut(mortal.server.port, up=3000, verb="PUT")
    speak_to(way.url, monkeypatch)
    result = run(f"--nav-package={mortal.url}/main.nav")
    way.close()
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["ERROR: no package was written: *main.nav cannot be written (*"])
    assert list(pytester.path.glob("navigator_workspace/packages/*/main.nav"))
    assert mortal.read("main.nav") == b""


def test_a_server_that_dies_while_a_baseline_comes_is_a_usage_error(
    run: Callable[..., pytest.RunResult], mortal: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(f"--nav-package={mortal.url}/main.nav")
    way = Cut(mortal.server.port, down=3000, server=mortal.server)
    speak_to(way.url, monkeypatch)
    result = run(f"--nav-baseline={mortal.url}/main.nav")
    way.close()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: --nav-baseline: {mortal.url}/main.nav cannot be read (*"])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("--nav-package=s3://nowhere/out.nav", "--nav-package=s3://nowhere/out.nav: there is no bucket 'nowhere'"),
        ("--nav-package=s3://nowhere", "--nav-package=s3://nowhere: the name of the file is missing, *"),
        ("--nav-package=ftp://host/out.nav", "--nav-package=ftp://host/out.nav: ftp:// is none of *"),
        ("--nav-package=s3://a:hidden@b/out.nav", "--nav-package=s3://***@b/out.nav: credentials and queries *"),
        ("--nav-package=s3://a:hid/den@b/out.nav", "--nav-package=s3://***@b/out.nav: credentials and queries *"),
        ("--nav-package={s3}/notes.txt", "--nav-package={s3}/notes.txt: this file is no package and would be lost*"),
        ("--nav-baseline={s3}/notes.txt", "--nav-baseline: * is not a package*"),
        (
            "--nav-baseline={s3}/none.nav",
            "--nav-baseline={s3}/none.nav: {s3}/none.nav: no such file; *would be compared",
        ),
        ("--nav-baseline=s3://nowhere/a.nav", "--nav-baseline: s3://nowhere/a.nav: there is no bucket 'nowhere'"),
        ("--nav-baseline=gs://b/a.nav", "--nav-baseline=gs://b/a.nav: gs:// needs gcsfs, which is not installed: *"),
    ],
)
def test_what_cannot_be_is_told_before_the_run(
    run: Callable[..., pytest.RunResult], s3: Bucket, arguments: str, said: str
) -> None:
    s3.write("notes.txt", b"mine")
    result = run(arguments.replace("{s3}", s3.url))
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {said}".replace("{s3}", s3.url)])
    assert "hidden" not in result.stdout.str() + result.stderr.str()


@pytest.mark.parametrize("place", ["memory://packages", "file://{folder}"])
def test_other_places_take_packages_too(run: Callable[..., pytest.RunResult], tmp_path: Path, place: str) -> None:
    url = f"{place.format(folder=tmp_path)}/main.nav"
    for outcome in ("SKIPPED", "PASSED"):
        result = run(f"--nav-package={url}", f"--nav-baseline={url}", "-v")
        assert words(result)["test_regression[fake-cpu]"] == outcome


def test_commands_and_the_api_read_packages_of_a_bucket(
    run: Callable[..., pytest.RunResult], s3: Bucket, capsys: pytest.CaptureFixture[str], pytester: pytest.Pytester
) -> None:
    url = f"{s3.url}/main.nav"
    run(f"--nav-package={url}")
    capsys.readouterr()
    for command in (["show", url], ["verify", url], ["diff", url, url], ["extract", url, "-o", "extracted"]):
        assert main(command) == 0
    out = capsys.readouterr().out
    assert f"\n{url}: all " in out
    assert "no difference" in out
    assert (pytester.path / "extracted" / "fake" / "model.npz").exists()
    with nav.load(url) as package:
        assert package.results.suite.name == "linear"
    with pytest.raises(PackageError, match=f"{s3.url}/none.nav cannot be read .*no such object"):
        nav.load(f"{s3.url}/none.nav")
    with pytest.raises(SystemExit) as ended:
        main(["show", f"{s3.url}/none.nav"])
    assert ended.value.code == 2
    s3.write("main.nav", s3.read("main.nav")[:-100])
    assert main(["verify", url]) == 2
    assert f"error: {url} is truncated" in capsys.readouterr().err


def test_what_is_written_by_a_command_is_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["merge", "a.nav", "b.nav", "-o", "memory://c.nav"])
    assert "memory://c.nav is a URL, and this writes a file" in capsys.readouterr().err


@pytest.mark.slow
def test_two_workers_send_one_package_and_share_a_baseline(run: Callable[..., pytest.RunResult], s3: Bucket) -> None:
    url = f"{s3.url}/{{model}}.nav"
    for outcome in ("SKIPPED", "PASSED"):
        result = run(f"--nav-package={url}", f"--nav-baseline={url}", "-v", "-n2", subprocess=True)
        assert words(result)["test_regression[fake-cpu]"] == outcome
    assert s3.names() == ["linear.nav"]
    assert result.stderr.str() == ""

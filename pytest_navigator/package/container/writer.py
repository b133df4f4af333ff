"""A suite's folder in the workspace -> its `.nav` package."""

from __future__ import annotations

import re
import uuid as uuids
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import yaml

from pytest_navigator.core.digests import plain_digest
from pytest_navigator.core.ours import RELEASED
from pytest_navigator.core.plain import plain, write_atomically
from pytest_navigator.core.privacy import scrubbed, scrubber
from pytest_navigator.devices.environment import environment as this_environment
from pytest_navigator.errors import PackageError, unknown
from pytest_navigator.package.layout import config_yaml, status
from pytest_navigator.package.layout import navigator_log as navlog
from pytest_navigator.package.query.results import read_results
from pytest_navigator.package.query.selection import KEPT, release, select
from pytest_navigator.package.zip.archive import STATUS, Member, member, partial_path, write_archive
from pytest_navigator.text import writable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from pytest_navigator.core.plain import JSON
    from pytest_navigator.package.query.results import Results
    from pytest_navigator.package.query.selection import Selection

LOG = "navigator.log"
CONFIG = "config.yaml"
SAVE_DATA = ("all", "none")
UNICODE_BREAKS = set("\x85\u2028\u2029")


def pack(
    folder: Path,
    target: Path,
    *,
    keep: str = "all",
    save_data: str = "all",
    complete: bool = True,
    required: Sequence[str] = (),
    free: bool = False,
    environment: Mapping[str, JSON] | None = None,
    git: Mapping[str, JSON] | None = None,
    uuid: str = "",
    timestamp: str = "",
) -> Path:
    """Write a suite's package, and its status.yaml, navigator.log and config.yaml into the workspace as well.

    The same workspace gives the same bytes on the same machine: unless they are given, the package's uuid follows from
    what is in it, and its time is the end of the last step.

    Args:
        folder: of the suite.
        target: path of the package.
        keep: which models: "all", "best", "required" (with what they are made from) or "none".
        save_data: "all", or "none" to leave out the samples, and their ranges in config.yaml.
        complete: whether the run covered the whole suite. It is not complete either if a step of it has no outcome.
        required: names of formats, variants, cells, runners or runtimes that `keep="required"` keeps.
        free: whether the models that `keep` leaves out go from the workspace before the package is written.
        git: see `environment.git_state`; None: not recorded.

    Returns:
        The path of the package: `target`, or `out.partial.nav` beside it if the run was not complete; a package that
        is at `target` stays then.

    Raises:
        ConfigError: `keep` or `save_data` is none of the words.
        PackageError: a record cannot be read or the package cannot be written; what was at the path is as it was.
    """
    _check("keep", keep, KEPT)
    _check("save_data", save_data, SAVE_DATA)
    results = read_results(folder)
    whole = complete and not results.missing
    path = target if whole else partial_path(target)
    with _nothing_lost(path, folder):
        _write_texts(folder, results, save_data)
        selection = select(folder, results, keep=keep, save_data=save_data, required=required)
        members = _members(selection)
        digests = {each.name: each.digest() for each in members}
        about = {"uuid": uuid or content_uuid(results, digests), "timestamp": timestamp or _end(results)}
        here = this_environment() if environment is None else environment
        left_out = selection.left_out
        content = dump(status.build(results, here, files=digests, left_out=left_out, git=git, complete=whole, **about))
        if free and whole:  # a partial package is written again: --nav-resume needs the models for it
            release(folder, results, selection)
        write_atomically(folder / STATUS, content)
        write_archive(path, [Member(STATUS, content), *members], digests)
    return path


@contextmanager
def _nothing_lost(path: Path, folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        but = " but the models that the package leaves out" if (folder / RELEASED).is_file() else ""
        raise PackageError(
            f"cannot write {path}: {error.strerror or error}; what was there before is untouched, and the workspace "
            f"{folder} still has everything{but}"
        ) from error


def _members(selection: Selection) -> list[Member]:
    scrub = scrubber()
    return [member(name, file, scrub) for name, file in selection.files.items() if name != STATUS]


def dump(content: JSON) -> bytes:
    """Return plain data as YAML, keys in their order; the same bytes with and without libyaml."""
    with suppress(_WrittenOtherwise):
        return _dumped(content, _FastDumper)
    return _dumped(content, _Dumper)


def _dumped(content: JSON, dumper: type[yaml.SafeDumper]) -> bytes:
    return yaml.dump(content, Dumper=dumper, sort_keys=False, allow_unicode=True, width=120).encode()


class _Dumper(yaml.SafeDumper):
    """PyYAML's own, which loses Unicode's line breaks unless they are between double quotes."""

    def represent_str(self, data: str) -> yaml.ScalarNode:
        style = '"' if UNICODE_BREAKS & set(data) else None
        return self.represent_scalar("tag:yaml.org,2002:str", writable(data), style=style)


_Dumper.add_representer(str, _Dumper.represent_str)

# A package is a tenth of a run that finds all else in its cache, and writing this text was most of that.
_FAST: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
ALIKE = re.compile(r"[ -~]*")  # Other text is escaped, or folded, otherwise by libyaml
LONGEST_KEY = 100  # A longer one, or none, libyaml writes in another form


class _WrittenOtherwise(Exception):
    """libyaml writes something of this in other bytes than PyYAML."""


class _FastDumper(_FAST):  # type: ignore[misc]  # Any: libyaml may be missing
    """libyaml's, for what both write alike: that is nearly everything."""

    def represent_str(self, data: str) -> Any:
        if not ALIKE.fullmatch(data):
            raise _WrittenOtherwise
        return self.represent_scalar("tag:yaml.org,2002:str", data)

    def represent_dict(self, data: dict[Any, Any]) -> Any:
        if not all(0 < len(str(key)) <= LONGEST_KEY for key in data):
            raise _WrittenOtherwise
        return super().represent_dict(data)


_FastDumper.add_representer(str, _FastDumper.represent_str)
_FastDumper.add_representer(dict, _FastDumper.represent_dict)


def content_uuid(results: Results, digests: Mapping[str, str]) -> str:
    """Return a uuid that depends on what is in the package; its version, 4, is that of a random one."""
    # Of what the package is made from, so that the same workspace gives the same bytes and nothing tells the machine.
    digest = plain_digest([plain(results.suite), plain(results.outcomes), digests])
    return str(uuids.UUID(hex=digest[:32], version=4))


def _end(results: Results) -> str:
    """Return when the last step ended, in UTC as status.yaml has it; "" if nothing has run."""
    ends = [
        datetime.fromisoformat(o.started).replace(tzinfo=UTC) + timedelta(seconds=o.spent)
        for o in results.outcomes
        if o.started
    ]
    return f"{max(ends):%Y-%m-%dT%H:%M:%S.%f}" if ends else ""


def _check(option: str, value: str, valid: Sequence[str] | Mapping[str, object]) -> None:
    if value not in valid:
        raise unknown(option, value, valid)


def _write_texts(folder: Path, results: Results, save_data: str) -> None:
    # The workspace is to look like the package: who has no package yet reads the same texts there.
    write_atomically(folder / LOG, navlog.render(results).encode())
    if results.signature is None:
        return
    value_ranges = config_yaml.ranges(folder / "model_input" / "correctness") if save_data == "all" else {}
    scrub = scrubber()
    for variant in results.suite.variants:
        made = results.made(variant.key)
        if made and made.passed:
            content = scrubbed(config_yaml.config(results, variant, value_ranges), scrub)
            write_atomically(folder / variant.key / CONFIG, dump(content))

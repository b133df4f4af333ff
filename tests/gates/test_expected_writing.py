"""Changes of `nav_expected.toml`: sorted lines, and all that the user has written stays."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_navigator.core.expected import WORDS, ExpectedLine
from pytest_navigator.errors import ConfigError
from pytest_navigator.gates.expected_changes import Change
from pytest_navigator.gates.expected_file import parsed
from pytest_navigator.gates.expected_writing import Unwritten, changed, write

PASS = ExpectedLine(("pass",))
MINE = """# mine, at the top
[cnn]
# of onnx
onnx-cpu = {outcome="fail-export", reason='old'} # why

trace-cpu = {outcome = "pass", atol = {y = 1.00e-05}}  # spelled so

# of another
[another]
zz = {outcome = "pass"}
aa = {outcome = "pass"}
"""
OLD = ExpectedLine(("fail-export",), {}, "old")


def of(*changes: Change, text: str = MINE, model: str = "cnn") -> str:
    return changed(text, {model: changes}, "f")[0]


def test_a_line_changes_where_it_is_and_everything_else_stays() -> None:
    new = ExpectedLine(("pass",), {"y": 2e-5})

    assert of(Change("onnx-cpu", new, OLD, "")) == MINE.replace(
        """{outcome="fail-export", reason='old'} # why""", """{outcome = "pass", atol = {y = 2e-5}} # why"""
    )


def test_a_new_line_stands_where_its_name_belongs() -> None:
    text = of(Change("a", PASS, None, ""), Change("p", PASS, None, ""), Change("z", PASS, None, ""))

    lines = [line.partition(" ")[0] for line in text.partition("[another]")[0].splitlines()]
    assert [line for line in lines if line not in ("#", "", "[cnn]")] == ["a", "onnx-cpu", "p", "trace-cpu", "z"]
    assert text.endswith(MINE[MINE.index("# of another") :])


def test_the_order_of_the_user_stays() -> None:
    text = of(Change("mm", PASS, None, ""), model="another")

    assert [line[:2] for line in text.partition("[another]\n")[2].splitlines()] == ["mm", "zz", "aa"]


def test_a_new_model_and_a_new_section_come_last() -> None:
    on_cuda = ExpectedLine(("pass",), {}, "", "cuda")
    text = of(Change("x-cpu", PASS, None, ""), model="my model.x")
    text = of(Change("x-cuda", on_cuda, None, ""), text=text)
    text = of(Change("y-cuda", on_cuda, None, ""), text=text, model="other")

    assert text == MINE + (
        '\n["my model.x"]\nx-cpu = {outcome = "pass"}\n\n[when.cuda.cnn]\nx-cuda = {outcome = "pass"}\n'
        '\n[when.cuda.other]\ny-cuda = {outcome = "pass"}\n'
    )


def test_a_line_is_taken_out_with_nothing_else() -> None:
    line = """onnx-cpu = {outcome="fail-export", reason='old'} # why\n"""

    assert of(Change("onnx-cpu", None, OLD, "")) == MINE.replace(line, "")


def test_the_first_text_says_what_the_file_is_for() -> None:
    text = of(Change("onnx-cpu", PASS, None, ""), text="")

    assert text.startswith("# What each format")
    assert text.endswith('\n\n[cnn]\nonnx-cpu = {outcome = "pass"}\n')


def test_a_line_that_the_user_has_edited_meanwhile_is_left_alone() -> None:
    was = ExpectedLine(("pass",), {"y": 1.0})

    assert changed(MINE, {"cnn": [Change("trace-cpu", PASS, was, "")]}, "f") == (MINE, [("cnn", "trace-cpu")])
    assert changed(MINE, {"cnn": [Change("onnx-cpu", PASS, None, "")]}, "f") == (MINE, [("cnn", "onnx-cpu")])


def test_ends_of_lines_stay() -> None:
    text = MINE.replace("\n", "\r\n")

    found = of(Change("onnx-cpu", PASS, OLD, ""), text=text)

    assert found == text.replace("""{outcome="fail-export", reason='old'}""", """{outcome = "pass"}""")


NAMES = st.text(min_size=1, max_size=12)
LINES = st.builds(
    ExpectedLine,
    st.lists(st.sampled_from(WORDS), min_size=1, max_size=3, unique=True).map(tuple),
    st.dictionaries(NAMES, st.sampled_from([0.0, 1e-7, 2e-5, 5e-3, 0.05, 1.0, 2e4]), max_size=3),
    st.just("because"),
    st.sampled_from(["", "cuda"]),
)


@given(st.dictionaries(NAMES, LINES, max_size=5), NAMES.filter(lambda name: name != "when"))
def test_what_is_written_is_read_again_and_writing_it_again_changes_nothing(
    lines: dict[str, ExpectedLine], model: str
) -> None:
    changes = [Change(name, line, None, "") for name, line in lines.items()]
    text, edited = changed("", {model: changes}, "f")

    assert edited == []
    assert parsed(text).of(model, lambda _: True).lines == lines
    again = [Change(name, line, line, "") for name, line in lines.items()]
    assert changed(text, {model: again}, "f") == (text, [])


def test_nothing_to_change_touches_no_file(tmp_path: Path) -> None:
    path = tmp_path / "nav_expected.toml"
    path.write_text(MINE)
    os.utime(path, (1, 1))

    assert write(path, {"cnn": [Change("onnx-cpu", OLD, OLD, "")]}, "f") == []

    assert path.stat().st_mtime == 1


def test_a_file_that_is_broken_by_now_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "nav_expected.toml"
    path.write_text("<<<<<<< HEAD\n")

    with pytest.raises(ConfigError, match="a conflict of a merge"):
        write(path, {"cnn": [Change("a", PASS, None, "")]}, "f")

    assert path.read_text() == "<<<<<<< HEAD\n"


def test_a_link_stays_one_and_its_target_is_written(tmp_path: Path) -> None:
    target = tmp_path / "shared.toml"
    target.write_text(MINE)
    (tmp_path / "nav_expected.toml").symlink_to(target)

    write(tmp_path / "nav_expected.toml", {"cnn": [Change("a", PASS, None, "")]}, "f")

    assert (tmp_path / "nav_expected.toml").is_symlink()
    assert '\na = {outcome = "pass"}\n' in target.read_text()


def test_what_cannot_be_written_is_handed_back() -> None:
    with pytest.raises(Unwritten) as raised:
        write(Path("/proc/self/nav_expected.toml"), {"cnn": [Change("a", PASS, None, "")]}, "f")

    assert raised.value.text.endswith('[cnn]\na = {outcome = "pass"}\n')


SPELLINGS = {
    "tables of lines": '[m.a]\noutcome = "pass"\n\n[m.c]\noutcome = "pass"\natol = {o = 1e-3}\n# end\n[other]\n',
    "both": '[m]\na = {outcome = "pass"}\n[m.c]\noutcome = "pass"\natol.o = 1e-3\n',
    "dotted": 'm.a.outcome = "pass"\nm.c = {outcome = "pass", atol = {o = 1e-3}}\n',
    "dotted more": 'm.a = {outcome = "pass"}\nm.c.outcome = "pass"\nm.c.atol.o = 1e-3\n[other]\n',
    "inline": 'm = {a = {outcome = "pass"}, c = {outcome = "pass", atol = {o = 1e-3}}}\n',
    "apart": '[m]\na = {outcome = "pass"}\n[other]\n[m.c]\noutcome = "pass"\natol = {o = 1e-3}\n',
}
WAS = ExpectedLine(("pass",), {"o": 1e-3})
DONE = {
    "added": Change("b", PASS, None, ""),
    "added last": Change("z", OLD, None, ""),
    "tightened": Change("c", ExpectedLine(("pass",), {"o": 2e-5}), WAS, ""),
    "of another output": Change("c", ExpectedLine(("pass",), {"new.out": 2e-5}), WAS, ""),
    "fails": Change("c", OLD, WAS, ""),
    "taken out": Change("c", None, WAS, ""),
}


@pytest.mark.parametrize("text", SPELLINGS.values(), ids=SPELLINGS)
@pytest.mark.parametrize("change", DONE.values(), ids=DONE)
def test_however_the_tables_are_spelled_one_line_changes_and_no_other(text: str, change: Change) -> None:
    lines = {"a": PASS, "c": WAS} | {change.name: change.line}

    found = parsed(of(change, text=text, model="m"))

    assert found.models["m"] == {name: line for name, line in lines.items() if line is not None}
    assert found.names == parsed(text).names


@pytest.mark.parametrize("change", DONE.values(), ids=DONE)
def test_a_file_of_windows_has_no_other_ends_of_lines(change: Change) -> None:
    text = '[m]\na = {outcome = "pass"} # mine\nc = {outcome = "pass", atol = {o = 1e-3}}\n\n[other]\n'

    found = of(change, text=text.replace("\n", "\r\n"), model="m")

    assert found == of(change, text=text, model="m").replace("\n", "\r\n")


def test_what_nobody_can_change_in_place_is_said_with_what_the_file_would_be() -> None:
    text = 'when = {cuda = {other = {x = {outcome = "pass"}}}}\n[m]\na = {outcome = "pass"}\n'
    new = Change("b", ExpectedLine(("pass",), {"o": 2e-5}, "", "cuda"), None, "")

    with pytest.raises(Unwritten, match=r"the lines of \[when.cuda.m\] stand in several places") as error:
        of(new, DONE["added"], text=text, model="m")

    meant = parsed(error.value.text)
    assert meant.models == {"m": {"a": PASS, "b": PASS}}
    assert meant.when == {"cuda": {"other": {"x": ExpectedLine(("pass",), {}, "", "cuda")}, "m": {"b": new.line}}}

"""What a `nav_expected.toml` says, and every way in which it can be wrong, with the place."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_navigator.core.expected import ExpectedLine
from pytest_navigator.errors import ConfigError
from pytest_navigator.gates.expected_file import parsed, read

if TYPE_CHECKING:
    from pathlib import Path

TEXT = """
# a comment
[cnn]
onnx-cpu = {outcome = "pass", atol = {logits = 2e-5, "a.b" = 1}}
flaky = {outcome = ["pass", "crash"], reason = "races"}

[cnn.sub]
outcome = "skip"
reason = "none"

[when.cuda.cnn]
onnx-cuda = {outcome = "pass"}
onnx-cpu = {outcome = "fail-speed", reason = "slow"}

["other/model.x"]
"""


def test_a_model_has_a_line_for_each_cell() -> None:
    assert parsed(TEXT).of("cnn", lambda _: False).lines == {
        "onnx-cpu": ExpectedLine(("pass",), {"logits": 2e-5, "a.b": 1.0}),
        "flaky": ExpectedLine(("pass", "crash"), {}, "races"),
        "sub": ExpectedLine(("skip",), {}, "none"),
    }
    assert parsed(TEXT).names == ["cnn", "other/model.x"]


def test_a_section_holds_where_its_requirement_is_met_and_goes_first() -> None:
    here, elsewhere = (parsed(TEXT).of("cnn", lambda _, met=met: met) for met in (True, False))

    assert here.lines["onnx-cpu"] == ExpectedLine(("fail-speed",), {}, "slow", "cuda")
    assert "onnx-cuda" in here.lines
    assert here.elsewhere == {}
    assert "onnx-cuda" not in elsewhere.lines
    assert elsewhere.elsewhere == {"cuda": 2}


def test_a_model_that_the_file_does_not_know_has_no_lines() -> None:
    assert parsed(TEXT).of("another", lambda _: True).lines == {}
    assert parsed("").names == []


PASS = 'x-cpu = {outcome = "pass"'
WRONG = {
    "not TOML": ("[m]\nx-cpu = {outcome = pass}\n", "f is no TOML: ", "(at line 2, column "),
    "not closed": ("[m", "f is no TOML: "),
    "a cell twice": (f"[m]\n{PASS}}}\n{PASS}}}\n", "f is no TOML: something stands there twice: ", "(at line 3"),
    "a table twice": ("[m]\n[m]\n", "f is no TOML: something stands there twice: "),
    "a conflict": (
        f"[m]\n<<<<<<< HEAD\n{PASS}}}\n=======\n",
        "f, line 2: a conflict of a merge that nobody has resolved",
    ),
    "half of a conflict": ("[m]\n\n>>>>>>> main\n", "f, line 3: a conflict of a merge"),
    "no table": ("m = 1", "f: [m]: 1 is no table"),
    "no line": ('[m]\nx-cpu = "pass"', "f: [m] x-cpu = 'pass': write {outcome = \"pass\"}"),
    "no outcome": ("[m]\nx-cpu = {}", "f: [m] x-cpu: it has no outcome "),
    "an empty list": ("[m]\nx-cpu = {outcome = []}", "f: [m] x-cpu: it has no outcome "),
    "an unknown outcome": (
        '[m]\nx-cpu = {outcome = "fail-exprt"}',
        "f: [m] x-cpu: unknown outcome 'fail-exprt'; did you mean 'fail-export'? (valid: ",
    ),
    "an outcome of another type": ("[m]\nx-cpu = {outcome = [1]}", "f: [m] x-cpu: unknown outcome '1'"),
    "an unknown key": (f"[m]\n{PASS}, rtol = 1}}", "f: [m] x-cpu: unknown key 'rtol'; did you mean 'atol'?"),
    "a negative tolerance": (f"[m]\n{PASS}, atol = {{y = -1.0}}}}", "f: [m] x-cpu: atol.y = -1.0: a tolerance is "),
    "a tolerance that is none": (f"[m]\n{PASS}, atol = {{y = nan}}}}", "atol.y = nan: a tolerance is a number from 0"),
    "an endless tolerance": (f"[m]\n{PASS}, atol = {{y = inf}}}}", "atol.y = inf: a tolerance is a number from 0"),
    "a tolerance of another type": (f"[m]\n{PASS}, atol = {{y = true}}}}", "atol.y = True: a tolerance is"),
    "a tolerance without outputs": (
        f"[m]\n{PASS}, atol = 1e-5}}",
        "f: [m] x-cpu: atol = 1e-05: write it for each output",
    ),
    "no reason": ('[m]\nx-cpu = {outcome = "crash"}', "f: [m] x-cpu: say why it is not expected to pass: reason"),
    "an empty reason": ('[m]\nx-cpu = {outcome = "skip", reason = " "}', "f: [m] x-cpu: say why"),
    "a list without a reason": ('[m]\nx-cpu = {outcome = ["pass", "crash"]}', "f: [m] x-cpu: say why"),
    "an unknown requirement": (
        "[when.cudaa.m]\n",
        "f: [when.cudaa]: unknown requirement 'cudaa'; did you mean 'cuda'?",
    ),
    "a requirement that is no table": ("[when]\ncuda = 1\n", "f: [when.cuda]: 1 is no table"),
    "a section's line": ('[when.cuda.m]\nx = {outcome = "skip"}', "f: [when.cuda.m] x: say why"),
}


@pytest.mark.parametrize(("text", "said"), [(text, said) for text, *said in WRONG.values()], ids=WRONG)
def test_what_is_wrong_is_said_with_its_place(text: str, said: list[str]) -> None:
    with pytest.raises(ConfigError) as raised:
        parsed(text, "f")

    assert [part for part in said if part not in str(raised.value)] == [], raised.value


def test_two_sections_that_hold_cannot_say_something_of_one_cell() -> None:
    text = f"[when.cuda.m]\n{PASS}}}\n[when.torch.m]\n{PASS}}}\n"

    with pytest.raises(ConfigError, match=r"x-cpu of m stands in .when.cuda. and .when.torch., and both hold"):
        parsed(text).of("m", lambda _: True)
    assert "x-cpu" in parsed(text).of("m", lambda name: name == "cuda").lines


def test_a_file_that_is_no_text_or_no_file(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"\xff\xfe")

    with pytest.raises(ConfigError, match="f is no text in UTF-8"):
        read(tmp_path / "f", "f")
    with pytest.raises(ConfigError, match="g cannot be read: Is a directory"):
        read(tmp_path, "g")

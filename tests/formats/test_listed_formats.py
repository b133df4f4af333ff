"""The built-in formats and frameworks are listed with what must be known of them before they are imported."""

from __future__ import annotations

import subprocess
import sys

import pytest

from pytest_navigator.backends.builtin import FORMATS, FRAMEWORKS
from pytest_navigator.formats.registry import built

ASK = """
import sys
from pytest_navigator.backends.builtin import known

assert [form.name for form in known().formats.marked("torch")]
print(*(name for name in sys.modules if name.startswith("pytest_navigator.backends.")))
"""


@pytest.mark.parametrize("listed", FORMATS, ids=lambda listed: listed.name)
def test_the_list_says_of_a_format_what_its_class_says(listed):
    kind = listed.load()
    assert (listed.name, listed.marks, listed.default) == (kind.name, kind.frameworks, kind.default)


@pytest.mark.parametrize("listed", FRAMEWORKS, ids=lambda listed: listed.name)
def test_the_list_says_of_a_framework_what_its_class_says(listed):
    kind = listed.load()
    packages = (kind.package, *kind.packages) if kind.package else ()
    assert (listed.name, listed.marks) == (kind.name, packages)


def test_no_two_of_them_are_alike():
    # Classes are looked at, as those of others are.
    registry = built([[listed.load() for listed in FORMATS]], [], [[listed.load() for listed in FRAMEWORKS]])
    assert list(registry.formats) == [listed.name for listed in FORMATS]
    assert len(registry.runners()) == sum(len(form.runners) for form in registry.formats.values())


def test_every_runner_is_where_its_row_says_and_is_what_it_says():
    registry = built([list(FORMATS)], [], [])
    for name, row in registry.runners().items():
        kind = row.load()
        assert kind is row.load()
        assert (kind.name, kind.__name__) == (name, name)
        facts = ("format", "runtime", "device", "requires", "live")
        assert {fact: getattr(kind, fact) for fact in facts} == {fact: getattr(row, fact) for fact in facts}


@pytest.mark.real_processes
def test_what_is_made_of_other_frameworks_is_not_imported():
    ran = subprocess.run([sys.executable, "-c", ASK], capture_output=True, text=True, check=True)
    rooms = {name.split(".")[2] for name in ran.stdout.split()}
    assert rooms >= {"torch", "exchange"}
    assert not rooms & {"jax", "tensorflow", "python", "files"}

"""What starts the Python of a format: where a path is read from, what stands for other things in a command."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pytest_navigator.configuration.config import NavConfig
from pytest_navigator.configuration.interpreters import parse
from pytest_navigator.configuration.settings import Settings, resolve
from pytest_navigator.devices.driver_library import has_driver
from pytest_navigator.engine.interpreters import Places, command_of

PLACES = Places(Path("/start"), Path("/project"), Path("/project/workspace"))
SAID = {"trt": ["venvs/trt/bin/python"], "*": "/opt/any python/bin/python"}


def given(line: str) -> Settings:
    return resolve({"interpreters": parse(line)}, {}, None)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (given("trt=venv/bin/python"), ("/start/venv/bin/python",)),
        (given("trt=/venv/bin/../bin/python"), ("/venv/bin/python",)),
        (given("trt=~/venv/bin/python"), (os.path.expanduser("~/venv/bin/python"),)),
        (given("onnx=/venv/bin/python"), ()),
        (given("*=/venv/bin/python"), ("/venv/bin/python",)),
        (given("*=/any/python\ntrt=/own/python"), ("/own/python",)),
        (given("trt=/bin/env -C {workspace}/trt python3"), ("/bin/env", "-C", "/project/workspace/trt", "python3")),
        (resolve({}, {}, NavConfig(interpreters=SAID)), ("/project/venvs/trt/bin/python",)),
        (resolve({"interpreters": ()}, {}, NavConfig(interpreters=SAID)), ()),
        (resolve({}, {}, None), ()),
    ],
)
def test_the_command_of_a_format(settings: Settings, expected: tuple[str, ...]) -> None:
    assert command_of(PLACES, settings, "trt") == expected


def test_a_gpu_is_given_to_a_container_where_there_is_one() -> None:
    found = command_of(PLACES, given("trt=/usr/bin/docker run {gpus} image python"), "trt")

    assert found == ("/usr/bin/docker", "run", "-i", *(["--gpus=all"] if has_driver() else []), "image", "python")


@pytest.mark.parametrize("value", [{"trt": 3}, {"trt": []}, ["trt=python"], {"": "python"}])
def test_a_value_that_names_no_python_is_refused_where_it_is_written(value: object) -> None:
    with pytest.raises(Exception, match=r"NavConfig\(interpreters=.*write \{"):
        NavConfig(interpreters=value)  # type: ignore[arg-type]

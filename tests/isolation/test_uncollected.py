"""Imports without the collector of garbage; each in a process of its own, whose collector is its own."""

from __future__ import annotations

import subprocess
import sys

import pytest

FIRST = "from pytest_navigator.isolation.uncollected import exempt, imported_for_good, leave_to_the_system, uncollected"


def told(code: str) -> str:
    """Return what a process prints."""
    command = [sys.executable, "-c", f"{FIRST}\n{code}"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_what_is_imported_first_is_in_no_later_collection() -> None:
    """Nor is what there was before; the collector goes on."""
    code = "import gc, sys\nimported_for_good(['decimal', 'no.such.module'], known=False)\n"
    code += "print('decimal' in sys.modules, gc.isenabled(), gc.get_freeze_count() > 1000)"
    assert told(code) == "True True True"


MODEL = """
import gc, weakref
class Model: pass
model = Model()
model.own, gone = model, weakref.ref(model)
"""


HEARD = ":\n    def __del__(self): print(1)"


@pytest.mark.parametrize(
    "code",
    [
        f"{MODEL}del model; imported_for_good(['decimal'], known=True)",
        f"imported_for_good(['decimal'], known=False){MODEL}imported_for_good(['json'], known=False)\n"
        "del model; gc.collect()",
    ],
    ids=["garbage-of-before", "model-of-later"],
)
def test_a_model_in_a_circle_is_still_freed(code: str) -> None:
    """It may be of gigabytes."""
    assert told(f"{code}\nprint(gone())") == "None"


def test_who_has_switched_the_collector_off_finds_it_off() -> None:
    """Also after imports of ours."""
    assert told("import gc; gc.disable()\nwith uncollected(): pass\nprint(gc.isenabled())") == "False"


def test_a_process_ends_without_taking_apart_what_it_has() -> None:
    """A circle that is left is not collected at the end."""
    code = f"{MODEL.replace(': pass', HEARD)}leave_to_the_system(); gone = None; del model"
    assert told(code) == ""

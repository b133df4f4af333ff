"""`workdir` and `keep_workdir`: what goes at the end, and what is the caller's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import pytest_navigator as nav
from tests.api.scripts import output

if TYPE_CHECKING:
    from pathlib import Path


QUICK = nav.OptimizationProfile(batch_sizes=[1], window_size=5)


@pytest.mark.parametrize("workdir", [".", "link"])
def test_the_current_directory_and_the_target_of_a_link_are_emptied_not_removed(tmp_path: Path, workdir: str) -> None:
    pytest.importorskip("torch")
    (tmp_path / "work").mkdir()
    script = f"""
import os
import torch
import pytest_navigator as nav

os.chdir("work")
if {workdir!r} == "link":
    os.mkdir("target")
    os.symlink("target", "link")
package = nav.torch.export(
    torch.nn.Linear(3, 2).eval(),
    [torch.ones(2, 3)],
    target_formats="torchscript",
    jit_options="trace",
    runtimes="TorchScriptCPU",
    run_profiling=False,
    workdir={workdir!r},
    keep_workdir=False,
)
print(os.listdir({workdir!r}))
package.save("x.nav")
print(nav.load("x.nav").get_status("torchscript"))
"""
    assert output(script, tmp_path)[-2:] == ["[]", "True"]


def test_a_call_that_cannot_write_its_package_leaves_the_workspace_to_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: object, **options: object) -> None:
        raise OSError("No space left on device")

    options: dict[str, Any] = {
        "dataloader": [np.ones((2, 3), np.float32)],
        "workspace": tmp_path / "work",
        "optimization_profile": QUICK,
    }
    with monkeypatch.context() as patched:
        patched.setattr("pytest_navigator.api.session.packing.write_all", full)
        with pytest.raises(OSError, match="No space left") as caught:  # which keeps the frames alive
            nav.python.optimize(abs, **options)

    assert caught.traceback
    assert nav.python.optimize(abs, **options).get_formats_status() == {"python": True}

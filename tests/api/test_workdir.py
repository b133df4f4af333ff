"""`workdir` and `keep_workdir`: what goes at the end, and what is the caller's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.api.scripts import output

if TYPE_CHECKING:
    from pathlib import Path


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

"""A compiler that leaves the whole model alone is no check: expected where nobody asked for it, else a failure."""

from __future__ import annotations

import pytest
from blackbox import LINEAR, words

GRU = LINEAR.replace("torch.nn.Linear(5, 7)", "torch.nn.GRU(5, 7, batch_first=True)")
GRU = GRU.replace("torch.randn(3, 5) for _ in range(4)", "torch.randn(n, 4, 5) for n in (1, 3)")
CELL = "test_correctness[torch-compile-cpu]"


@pytest.mark.parametrize(
    ("arguments", "word", "line"),
    [
        ([], "XFAIL", "xfailed: correctness torch TorchCompileCPU: "),
        (["--nav-runtimes=cpu,compile-cpu"], "FAILED", "*"),
        (["--nav-require=torch-compile-cpu"], "FAILED", "*"),
    ],
    ids=["nobody", "runtimes", "require"],
)
def test_who_asks_for_a_compiler_hears_that_it_compiled_nothing(
    pytester: pytest.Pytester, arguments: list[str], word: str, line: str
) -> None:
    pytester.makeconftest(GRU)
    options = ("-v", "-rxf", "-p", "no:randomly", "--nav", "--nav-no-profile", "--nav-device=cpu")

    result = pytester.runpytest_inprocess(*options, "--nav-formats=torchscript-trace", *arguments)

    assert words(result)[CELL] == word
    result.stdout.fnmatch_lines([f"{line}nothing was compiled, the model ran eagerly: *nn.GRU*"])

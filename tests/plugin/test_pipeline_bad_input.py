"""What is wrong with a pipeline is said by the item that it is of, in a line, and the others run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from blackbox import outcomes
from piped import LOADER, PIPELINE

if TYPE_CHECKING:
    from blackbox import Nav

Case = tuple[str, str, str, str]

NEAREST = "conftest.py::nav_pipeline: unknown module 'encodr'; did you mean 'encoder'? (valid: encoder, *"
CASES: dict[str, Case] = {
    "a name that the pipeline lacks": ('("encoder", "parts', '("encodr", "parts', "test_source[encodr]", NEAREST),
    "a part that is no module": (
        "self.spare = torch.nn.Linear(7, 7).eval()\n",
        "self.spare = 3\n",
        "test_source[spare]",
        "spare of conftest.py::nav_pipeline: a builtins.int cannot be wrapped: *",
    ),
    "a module that is never called": (
        "",
        "",
        "test_source[spare]",
        "the pipeline never calls the module 'spare' (2 samples): leave it out, or *",
    ),
    "a pipeline that raises on its third sample": (
        "(1, 3)]",
        "(1, 3)] + [(2, torch.randn(2, 6))]",
        "test_pipeline[torchscript-trace-cpu]",
        "the pipeline itself does not come through: sample 2 raised RuntimeError: *",
    ),
    "no batch axis": (
        "torch.randn(size, 5)) for size",
        "torch.randn(4, 5)) for size",
        "test_source[encoder]",
        "the inputs of encoder have no batch axis: * write nav_modules = {'encoder': NavConfig(batch_dim=None)}",
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_item_that_is_concerned_fails_with_the_reason(pytester: pytest.Pytester, nav: Nav, case: Case) -> None:
    old, new, item, message = case
    text = PIPELINE.replace('"parts.decoder")', '"parts.decoder", "spare")') if "spare" in item else PIPELINE
    assert old in text
    pytester.makeconftest(text.replace(old, new))
    result = nav("-v")
    found = outcomes(result)
    assert found[f"conftest.py::nav_pipeline::{item}"] == "FAILED"
    assert found["conftest.py::nav_pipeline::test_correctness[parts.decoder-torchscript-trace-cpu]"] == (
        "SKIPPED" if "batch axis" in message else "PASSED"
    )
    result.stdout.fnmatch_lines([message])
    assert "Traceback" not in result.stdout.str()


WHOLE = {
    "raises at once": (
        "y = self.encoder(x)",
        "raise ValueError('no')",
        "*the pipeline, as it is, raises: sample 0 *no (conftest.py:*",
    ),
    "cannot be called": ("return Pipeline()", "return 3", "*nav_pipeline returned 3, which cannot be called: *"),
    "raises when it is built": ("return Pipeline()", "raise OSError('gone')", "nav_pipeline raised OSError: gone"),
    "has no loader": (LOADER, "", "there is no nav_dataloader beside conftest.py::nav_pipeline; *"),
    "has no samples": ("(1, 3)]", "()]", "nav_dataloader beside conftest.py::nav_pipeline has no samples"),
    "is no loader": (
        LOADER,
        LOADER.replace("[(size", "3 or [(size"),
        "nav_dataloader=3: a pipeline's dataloader gives pairs of *",
    ),
    "has a wrong size": ("[(size", "[(0 * size", "sample 0 of the nav_dataloader begins with 0: *"),
    "has samples alone": (
        "(size, torch.randn(size, 5))",
        "torch.randn(size, 5)",
        "sample 0 of the nav_dataloader is a Tensor alone: a pipeline's dataloader gives pairs of a batch size and *",
    ),
}


@pytest.mark.parametrize("case", WHOLE.values(), ids=WHOLE)
def test_a_pipeline_that_does_not_run_fails_every_module_with_the_reason(
    pytester: pytest.Pytester, nav: Nav, case: tuple[str, str, str]
) -> None:
    old, new, message = case
    assert old in PIPELINE
    pytester.makeconftest(PIPELINE.replace(old, new))
    result = nav("-v")
    found = outcomes(result)
    assert {word for item, word in found.items() if "test_source" in item} == {"FAILED"}
    assert found["conftest.py::nav_pipeline::test_pipeline[torchscript-trace-cpu]"] == "SKIPPED"
    result.stdout.fnmatch_lines([message])


def test_a_function_with_its_modules_is_a_pipeline(pytester: pytest.Pytester, nav: Nav) -> None:
    text = PIPELINE.replace(
        "return Pipeline()", "p = Pipeline()\n    return p, {'encoder': p.encoder, 'parts': p.parts}"
    )
    pytester.makeconftest(text)
    assert nav("-v").ret == 0

"""What Model Navigator announced as right although it was not: the item fails in which the defect is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from blackbox import status

if TYPE_CHECKING:
    from collections.abc import Callable

    Nav = Callable[..., pytest.RunResult]
    Project = Callable[..., None]
    Failed = Callable[[pytest.RunResult], dict[str, str]]

TRANSFORMER = """
class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = torch.nn.Embedding(50, 16)
        self.layer = torch.nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
        self.head = torch.nn.Linear(16, 4)

    def forward(self, ids):
        hidden = self.layer(self.embedding(ids))
        return self.head(hidden.reshape(-1, 16)).reshape(ids.shape[0], ids.shape[1], 4)
"""

BRANCH = """
class Model(torch.nn.Module):
    def forward(self, x):
        if x.sum() > 0:
            return x * 2
        return x - 100
"""

SCALED = """
class Model(torch.nn.Module):
    def forward(self, x):
        return x * {size}
"""

RESHAPED = """
class Model(torch.nn.Module):
    def forward(self, x):
        rows = int(x.shape[0])
        return x.reshape(rows, 5, 1).sum(2)
"""

THOUSAND = """
class Model(torch.nn.Module):
    def forward(self, x):
        return x * 1000 if {exporting} else x
"""


def test_onnx_of_a_transformer_is_right_on_the_users_own_batches(project: Project, nav: Nav, failed: Failed) -> None:
    project(TRANSFORMER, loader="[torch.randint(0, 50, (2, length)) for length in (6, 9, 9)]")

    result = nav(formats="onnx")

    result.assert_outcomes(passed=4)
    assert not failed(result)


def test_a_traced_branch_fails_correctness_and_a_scripted_one_does_not(
    project: Project, nav: Nav, failed: Failed
) -> None:
    project(BRANCH, loader="[torch.ones(3, 5), -torch.ones(3, 5)]")

    result = nav(formats="torchscript")

    assert failed(result) == {
        "test_correctness[torchscript-trace-cpu]": "output__0: max abs 99 (sample 1, [0,0]), max rel 0.98, outside "
        "1e-4 of (|value| + 51.5) (fp32 default); 50 % of elements; the source's largest value is 101; "
        "first divergence: Model at conftest.py:5: 99"
    }
    result.stdout.no_fnmatch_line("*Strategy: torchscript-trace*")


def test_a_traced_branch_that_no_sample_takes_is_a_note_of_the_summary_and_of_the_package(
    project: Project, nav: Nav, pytester: pytest.Pytester
) -> None:
    project(BRANCH, loader="[torch.ones(3, 5)]")

    result = nav("--nav-package=out.nav")

    result.assert_outcomes(passed=4)
    note = "conftest.py:6: TracerWarning: Converting a tensor to a Python boolean might cause the trace to be incorrect"
    result.stdout.fnmatch_lines([f"note: export.torchscript-trace: {note}"])
    steps = status(pytester.path / "out.nav")["pytest_navigator"]["steps"]
    assert steps["export.torchscript-trace"]["message"] == note


def test_an_output_scaled_by_the_batch_size_is_right_at_every_batch_size(project: Project, nav: Nav) -> None:
    project(SCALED.format(size="x.shape[0]"), loader="[torch.ones(3, 5), torch.ones(2, 5)]")

    nav(formats="onnx,torchscript").assert_outcomes(passed=8)


def test_a_batch_size_that_a_trace_keeps_as_a_number_fails_correctness(
    project: Project, nav: Nav, failed: Failed
) -> None:
    project(SCALED.format(size="int(x.shape[0])"), loader="[torch.ones(3, 5)]")

    result = nav()

    (message,) = failed(result).values()
    assert message.startswith("output__0: max abs 2 (sample 0 at batch 1, [0,0]), max rel 2, outside ")
    assert list(failed(result)) == ["test_correctness[torchscript-trace-cpu]"]


ONE = """
class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.cell = torch.nn.GRUCell(5, 5)
        self.register_buffer("state", torch.zeros(1, 5))

    def forward(self, x):
        return self.cell(x, self.state)
"""


def test_a_model_that_takes_batches_of_one_only_is_exported_with_a_constant_batch(
    project: Project, nav: Nav, pytester: pytest.Pytester
) -> None:
    project(ONE, loader="[torch.randn(1, 5) for _ in range(2)]")

    result = nav(formats="onnx,torchscript-trace,torch-exportedprogram")

    result.assert_outcomes(passed=8)
    (folder,) = pytester.path.glob("navigator_workspace/*/signature.json")
    signature = json.loads(folder.read_text())
    specs = [*signature["inputs"], *signature["outputs"]]
    assert [(spec["shape"], spec["axes"], spec["batched"]) for spec in specs] == [([1, 5], {}, True)] * 2
    record = json.loads((folder.parent / ".steps/source.json").read_text())
    assert record["message"].startswith("the model raised on a batch of 2: ")
    assert record["message"].endswith("; so the batch axis is 1 in every export")


def test_a_shape_that_a_trace_keeps_fails_correctness_at_batch_1(project: Project, nav: Nav, failed: Failed) -> None:
    project(RESHAPED, loader="[torch.ones(3, 5)]")

    result = nav()

    (message,) = failed(result).values()
    assert list(failed(result)) == ["test_correctness[torchscript-trace-cpu]"]
    assert "shape '[3, 5, 1]' is invalid for input of size 5" in message
    assert "sample 0 at batch 1" in message


@pytest.mark.parametrize(
    ("exporting", "format"),
    [
        ("torch.jit.is_tracing()", "torchscript-trace"),
        ("torch.jit.is_scripting()", "torchscript-script"),
        ("torch.compiler.is_exporting()", "onnx"),
        ("torch.compiler.is_exporting()", "torch-exportedprogram"),
    ],
)
def test_an_export_that_is_wrong_by_1000_fails_correctness(
    project: Project, nav: Nav, failed: Failed, exporting: str, format: str
) -> None:
    project(THOUSAND.format(exporting=exporting), loader="[torch.ones(3, 5)]")

    result = nav(formats=format)

    (message,) = failed(result).values()
    assert list(failed(result)) == [f"test_correctness[{format}-cpu]"]
    assert message.startswith("output__0: max abs 999 (sample 0, [0,0]), max rel 999, outside ")
    result.stdout.fnmatch_lines(["FAILED: no format of * but the source itself passed correctness"])
    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_a_zero_in_the_reference_hides_no_difference(project: Project, nav: Nav, failed: Failed) -> None:
    project(
        "class Model(torch.nn.Module):\n"
        "    def forward(self, x):\n        return x + 1 if torch.jit.is_tracing() else x",
        loader="[torch.zeros(3, 5)]",
    )

    result = nav("--nav-rtol=1", "--nav-atol=0.5")

    assert failed(result)["test_correctness[torchscript-trace-cpu]"].startswith(
        "output__0: max abs 1 (sample 0, [0,0])"
    )


def test_nan_in_a_row_other_than_the_first_fails_the_source(project: Project, nav: Nav, failed: Failed) -> None:
    project(
        made="torch.nn.Linear(5, 7).eval()",
        loader="[torch.randn(3, 5), torch.randn(3, 5).index_fill(0, torch.tensor(2), float('nan'))]",
    )

    result = nav()

    assert failed(result) == {"test_source": "sample 1: input 'input' is nan at [2, 0]"}
    result.assert_outcomes(failed=1, skipped=3)


@pytest.mark.parametrize(("value", "shown"), [("nan", "nan"), ("inf", "inf"), ("-inf", "-inf")])
def test_a_number_in_the_models_output_that_is_not_finite_fails_the_source(
    project: Project, nav: Nav, failed: Failed, value: str, shown: str
) -> None:
    project(
        f"class Model(torch.nn.Module):\n    def forward(self, x):\n        return x.where(x < 9, float('{value}'))",
        loader="[torch.ones(3, 5), torch.tensor([[1.0, 2.0], [3.0, 10.0]])]",
    )

    message = failed(nav())["test_source"]
    assert message.startswith(f"output output__0 of the model is {shown} on sample 1 at [1, 1]; where that is right, ")


def test_a_random_output_fails_the_source(project: Project, nav: Nav, failed: Failed) -> None:
    project("class Model(torch.nn.Module):\n    def forward(self, x):\n        return x + torch.rand_like(x)")

    result = nav()

    (message,) = failed(result).values()
    assert list(failed(result)) == ["test_source"]
    assert message.startswith("the model's output changes from call to call: output__0: max abs ")
    assert "switch off what is random in it (dropout, sampling)" in message


RANDOM = """
import pytest_navigator as nav

class Model(torch.nn.Module):
    def forward(self, x):
        return {{"y": x * 2, "noise": torch.rand_like(x)}}

nav_config = nav.NavConfig({config})
"""


@pytest.mark.parametrize(
    "config",
    [
        "comparisons={'noise': nav.unchecked('sampled')}",
        "comparisons={'noise': lambda expected, actual: actual.max() <= 1}",
        "atol={'noise': 1.0}",
    ],
)
def test_an_output_may_change_as_much_as_the_suites_rule_allows(
    project: Project, nav: Nav, pytester: pytest.Pytester, config: str
) -> None:
    project(RANDOM.format(config=config))

    result = nav("--nav-in-process", "-k", "source")

    result.assert_outcomes(passed=1)
    (record,) = pytester.path.glob("navigator_workspace/*/.steps/source.json")
    bitwise = json.loads(record.read_text())["data"]["bitwise"]
    assert bitwise is ("unchecked" in config)


def test_a_comparison_of_the_users_own_judges_whether_an_output_changes(
    project: Project, nav: Nav, failed: Failed
) -> None:
    project(RANDOM.format(config="comparisons={'noise': lambda expected, actual: 'noise is noise'}"))

    (message,) = failed(nav("--nav-in-process", "-k", "source")).values()

    assert message.startswith("the model's output changes from call to call: noise: noise is noise (sample 0); switch")


def test_a_model_that_raises_fails_the_source_with_its_own_words(project: Project, nav: Nav, failed: Failed) -> None:
    project(made="torch.nn.Linear(6, 7).eval()")

    assert failed(nav()) == {
        "test_source": "the model raised on sample 0: RuntimeError: mat1 and mat2 shapes cannot be multiplied "
        "(3x5 and 6x7)"
    }


def test_a_dict_output_with_a_number_is_exported(project: Project, nav: Nav, failed: Failed) -> None:
    project(
        "class Model(torch.nn.Module):\n    def forward(self, x):\n        return {'y': x * 2, 'count': 3}",
    )

    result = nav(formats="onnx,torchscript-trace,torch-exportedprogram")

    assert not failed(result)
    assert result.ret == pytest.ExitCode.OK


UNSUPPORTED = "class Model(torch.nn.Module):\n    def forward(self, x):\n        return torch.special.bessel_j0(x)"


def test_an_operator_that_onnx_has_not_is_an_expected_failure_when_nobody_named_onnx(
    project: Project, nav: Nav, failed: Failed
) -> None:
    project(UNSUPPORTED)

    result = nav("-k", "source or onnx", formats="")

    assert not failed(result)
    result.stdout.fnmatch_lines(["xfailed: export onnx: *bessel_j0*"])


def test_an_operator_that_onnx_has_not_is_a_failure_when_onnx_was_named(
    project: Project, nav: Nav, failed: Failed
) -> None:
    project(UNSUPPORTED)

    result = nav(formats="onnx")

    (message,) = failed(result).values()
    assert list(failed(result)) == ["test_export[onnx]"]
    assert "bessel_j0" in message


def test_an_output_that_is_called_as_an_input_has_a_name_of_its_own_in_every_format(
    project: Project, nav: Nav, failed: Failed, pytester: pytest.Pytester
) -> None:
    project(
        "class Model(torch.nn.Module):\n    def forward(self, x):\n        return {'x': x * 2, 'y': x + 1}",
        loader="[{'x': torch.randn(3, 5)}]",
    )

    result = nav("--nav-package=out.nav", formats="onnx,torchscript-trace,torch-exportedprogram")

    assert not failed(result)
    result.assert_outcomes(passed=8)
    outputs = status(pytester.path / "out.nav")["output_metadata"]
    assert [output["name"] for output in outputs["metadata"]] == ["output__x", "y"]

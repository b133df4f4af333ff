"""The page of `--nav-report` as text: one file, escaped, small, with what one needs who does not see it."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pytest_navigator.comparison.divergence import Divergence
from pytest_navigator.comparison.layer_errors import LayerError
from pytest_navigator.reporting.html.axes import axis
from pytest_navigator.reporting.html.rendering import render
from pytest_navigator.reporting.notebook import table
from pytest_navigator.reporting.run_report import ModelReport, RunReport
from tests.package.recorded import outcomes, results
from tests.reporting import pages
from tests.reporting.pages import HOSTILE, Elements, hostile, large, ten_models

if TYPE_CHECKING:
    from collections.abc import Sequence


@pytest.fixture(scope="module")
def ten() -> str:
    return render(ten_models())


def test_ten_models_are_less_than_300_kb(ten: str) -> None:
    assert len(ten.encode()) < 300_000


def test_logs_do_not_make_it_larger() -> None:
    model = ten_models().models[0]
    long = [replace(o, detail="x" * 60_000, message="y" * 4000) if o.failed else o for o in model.results.outcomes]
    steps = tuple(replace(o, data={}) if o.failed else o for o in long)
    noisy = replace(model, results=replace(model.results, outcomes=steps), logs={"onnx": "z" * 100_000})
    assert len(render(RunReport((noisy,) * 10, 1)).encode()) < 400_000


def test_it_is_one_file_without_a_script_that_loads_nothing(ten: str) -> None:
    found = Elements(ten)
    assert found.open == []
    assert {"script", "link", "img", "iframe", "object"} & {tag for tag, _ in found.found} == set()
    assert not any(name.startswith("on") for _, attributes in found.found for name in attributes)
    addresses = [value or "" for _, own in found.found for name, value in own.items() if name in ("href", "src")]
    assert all(address.startswith("#model-") for address in addresses)
    assert "url(" not in ten
    assert "@import" not in ten


def test_every_text_of_others_is_text() -> None:
    text = render(hostile())
    found = Elements(text)

    assert found.open == []
    assert {"script", "img"} & {tag for tag, _ in found.found} == set()
    assert found.text.count("{{ 7 * 7 }}") > 10
    assert text.count("</style>") == 1
    assert HOSTILE not in text
    shown = Elements(table(HOSTILE, hostile().models[0].results))
    assert {tag for tag, _ in shown.found} == {"table", "caption", "thead", "tbody", "tr", "th", "td", "ul", "li"}
    assert "{{ 7 * 7 }}" in shown.text


def test_every_plot_is_an_image_with_a_label_and_a_table(ten: str) -> None:
    found = Elements(ten)
    images = found.of("svg")

    assert len(images) == len(found.of("figure")) == 3 * 10
    assert {image["role"] for image in images} == {"img"}
    labels = [image["aria-label"] or "" for image in images]
    assert any(re.match(r"Latencies of 5 runners: medians from 1\.0+ ms \(torch-cpu\) to ", label) for label in labels)
    assert any(label.startswith("Throughput of 5 runners at 4 batch sizes") for label in labels)
    assert any(label.startswith("Throughput of 5 runners at 10 batch sizes; the most is 51200") for label in labels)
    assert any(label.startswith("Largest absolute differences of 18 outputs; 3 of them are off") for label in labels)
    assert all(label.endswith("The table below has every figure.") for label in labels)
    after = ten.split("</svg>")[1:]
    assert all("<table>" in part.partition("</figure>")[0] for part in after)


def test_ids_are_unique_and_every_link_leads_to_one(ten: str) -> None:
    found = Elements(ten)
    ids = [own["id"] for _, own in found.found if "id" in own]
    links = [(own["href"] or "")[1:] for own in found.of("a")]
    named = [own["aria-labelledby"] for _, own in found.found if "aria-labelledby" in own]

    assert len(ids) == len(set(ids))
    assert set(links) | set(named) <= set(ids)
    assert len(links) == 10


def test_no_verdict_is_told_by_colour_alone(ten: str) -> None:
    for kind, sign in (("good", "✓"), ("bad", "✗")):
        cells = re.findall(rf'<(?:td|b) class="(?:badge )?{kind}">(.*?)</(?:td|b)>', ten)
        assert cells
        assert all(sign in cell for cell in cells)


def test_what_failed_comes_first_with_place_log_and_command(ten: str) -> None:
    right = ModelReport(results([o for o in outcomes() if not o.failed], name="right"))
    page = render(RunReport((right, large("wrong")), 1))
    text = Elements(page).text

    parts = ("1 of 2 models failed, for 1 cause", "wrong (torch) ✗ failed", "right (torch) ✓ passed")
    assert [text.index(part) for part in parts] == sorted(text.index(part) for part in parts)
    assert "test_correctness[onnx-cpu]" in text
    assert "sample 0 [0,2]" in text
    assert "line 39 of what an exporter says" in text


def test_what_the_gates_found_is_in_it(ten: str) -> None:
    text = Elements(ten).text
    for part in (
        "Against the baseline main.nav, 1a2b3c4 of 2026-11-21: 1 worse, 1 different, 1 better, 6 same",
        "✗ worse coverage: onnx-cpu: passed -> failed (output__0: max abs)",
        "p50 < 5",
        "✗ FAILED",
        "first divergence layers.2.mlp gelu at model.py:14",
        "local error 1.8e-4, 240 × the next",
        "computed again by onnx/onnx-cpu.py",
    ):
        assert part in text


def test_the_worst_layers_of_a_quantized_format_are_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    layers = (LayerError("layers.2.up", "MatMul", 56.7, 0.6),)
    found = Divergence("quantization", value="v", layers=layers, exclude=("layers.2.up",), passes=True)
    monkeypatch.setattr(pages, "DIVERGENCE", found)
    text = Elements(render(RunReport((large("quantized"),), 1))).text
    assert "worst layers layers.2.up (MatMul) 56.7 dB, 0.6 dB at the outputs" in text
    assert "to leave out with QuantizationConfig(exclude=['layers.2.up']) this sample passes" in text


def test_what_failed_as_it_is_expected_to_is_no_failure() -> None:
    model = large("known")
    agreed = replace(model, agreed=frozenset({"correctness.onnx.OnnxCPU"}), said=("expected: 1 cell as in the file",))
    text = Elements(render(RunReport((agreed,), 0))).text
    assert "1 model in order" in text
    assert "expected: 1 cell as in the file" in text


def test_the_same_report_is_the_same_bytes(ten: str) -> None:
    assert render(ten_models()) == ten


def test_a_run_that_checked_nothing_is_a_page_too() -> None:
    assert "no model was checked" in Elements(render(RunReport((), 5))).text


def test_what_is_private_is_not_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_TOKEN", "s3cr3t-of-somebody")
    found = [replace(o, message="at s3cr3t-of-somebody") if o.failed else o for o in outcomes()]
    assert "s3cr3t" not in render(RunReport((ModelReport(results(found)),), 1))


@pytest.mark.parametrize(
    ("values", "ticks"),
    [
        ((0.2, 1.0), ["0", "0.2", "0.4", "0.6", "0.8", "1"]),
        ((1e-7, 1e-3), ["1e-7", "1e-6", "1e-5", "1e-4", "1e-3", "0.01"][:5]),
        ((3.0, 50.0), ["2", "5", "10", "20", "50"]),
        ((), ["0", "0.2", "0.4", "0.6", "0.8", "1"]),
        ((0.0, float("inf"), 5.0), ["0", "1", "2", "3", "4", "5"]),
        ((1.0, 1e300), None),
        ((5e-324, 1.0), None),
    ],
)
def test_an_axis_has_a_few_round_values(values: Sequence[float], ticks: list[str] | None) -> None:
    found = axis(values, 0, 100)
    texts = [tick.text for tick in found.ticks()]

    assert ticks is None or texts == ticks
    assert 2 <= len(texts) <= 12
    assert all(0 <= tick.at <= 100 for tick in found.ticks())
    assert all(0 <= found.at(value) <= 100 for value in values)

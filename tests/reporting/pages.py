"""Reports for the tests of pages: of ten models, and of one whose names are attacks."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

from pytest_navigator.core.plain import plain
from pytest_navigator.core.records import Outcome, OutputReport, ProfileResult
from pytest_navigator.core.steps import Status
from pytest_navigator.core.variants import RunnerRecord, Variant
from pytest_navigator.package.query.results import Results
from pytest_navigator.reporting.run_report import ModelReport, OtherFailure, RunReport
from tests.package.recorded import SIGNATURE, SOURCE, outcomes, results, suite

SCRIPT = "<script>document.title = 'taken over'</script>"
HOSTILE = (
    f"{SCRIPT}\"'><img src=x onerror=\"document.title='taken over'\"></style></pre></title>{{{{ 7 * 7 }}}}{{% raw %}}"
)
VOID = ("meta", "link", "img", "br", "hr", "input")

FORMATS = ("torch", "torchscript-script", "torchscript-trace", "torch-exportedprogram", "onnx", "openvino")
SIZES = (1, 2, 4, 8)


class Elements(HTMLParser):
    """What is in a page: its elements with their attributes, and the text that one sees."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.said: list[str] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes something else"

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.said.append(data)

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.found if name == tag]

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.said).split())


def measured(batch: int, p50: float) -> ProfileResult:
    rest = {"quartiles": (p50 * 0.9, p50 * 0.95, p50 * 1.05), "windows": 3, "contention": 0.3}
    return ProfileResult(batch, p50, 0.1, p50, p50 * 1.2, p50 * 1.3, p50 * 1.5, 1000 * batch / p50, 75, **rest)


def large(name: str) -> ModelReport:
    """A model in six formats, at four batch sizes; one format is wrong, and has a long log."""
    steps = [SOURCE]
    for i, key in enumerate(FORMATS):
        runner = f"{key.title().replace('-', '')}CPU"
        steps += [Outcome("export", Status.PASSED, key)] if i else []
        wrong = key == "onnx"
        outputs = [
            OutputReport(f"output__{n}", 1e-6 * (i + n), 1e-3, "atol 1e-5", problem="max abs" if wrong else "",
                         allowed_atol=None if wrong else 1e-5, mismatched=int(wrong), total=100, sample=0, index=(0, n))
            for n in range(3)
        ]  # fmt: skip
        status, message = (
            (Status.FAILED, "output__0: max abs 4e-6 > atol 1e-6; 1 % of elements") if wrong else (Status.PASSED, "")
        )
        steps.append(Outcome("correctness", status, key, runner, message=message, data={"outputs": plain(outputs)}))
        if not wrong:
            steps += [
                Outcome(
                    "profile",
                    Status.PASSED,
                    key,
                    runner,
                    f"batch{size}",
                    data={"result": plain(measured(size, (i + 1) * size**0.5))},
                )
                for size in SIZES
            ]
    runners = {f"{k.title().replace('-', '')}CPU": k for k in FORMATS}
    variants = tuple(
        Variant(k, k.partition("-")[0], None, "" if k == "torch" else "model", {}, (r,)) for r, k in runners.items()
    )
    records = {r: RunnerRecord(r, "cpu", k.partition("-")[0], "cpu", k == "torch", "a:B") for r, k in runners.items()}
    whole = Results(replace(suite(steps), name=name, variants=variants, runners=records), tuple(steps), SIGNATURE)
    log = "\n".join(f"line {i} of what an exporter says about its work, at length" for i in range(40))
    return ModelReport(
        whole, package=Path(f"{name}.nav"), folder=Path(f"navigator_workspace/{name}"), logs={"onnx": log}
    )


def ten_models() -> RunReport:
    return RunReport(tuple(large(f"model{i}") for i in range(10)), exit_code=1, ended="2026-02-22T15:40:00+00:00")


def hostile() -> RunReport:
    """A run in which every text that somebody else chooses is an attack."""
    report = OutputReport(HOSTILE, 0.2, 1.0, HOSTILE, 1, 2, 0, HOSTILE, (0,), HOSTILE, HOSTILE)
    changes = {"message": HOSTILE, "detail": HOSTILE, "error": HOSTILE}
    data = {"outputs": [plain(report)], "script": HOSTILE}
    found = [
        replace(o, **changes, data=data if o.step == "correctness" else o.data) if o.failed else o for o in outcomes()
    ]
    found = [replace(o, message=HOSTILE, requirement=HOSTILE) if o.status is Status.SKIPPED else o for o in found]
    model = ModelReport(
        results(found, name=HOSTILE, nodeid=HOSTILE), (HOSTILE,), Path("/a") / HOSTILE.replace("/", "∕"),
        logs={"onnx": HOSTILE, "torchscript-script": HOSTILE},
    )  # fmt: skip
    environment = {"cpu": {"name": HOSTILE}, "python_version": HOSTILE, "python_packages": {"torch": HOSTILE}}
    others = (OtherFailure(HOSTILE, HOSTILE),)
    return RunReport((model, model), 1, others, environment=environment, git={"commit": HOSTILE, "branch": HOSTILE})

"""The files of a version that comes from a package."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from pytest_navigator.configuration.foreign_arguments import check_arguments, check_parameters
from pytest_navigator.core.script_parts import Subject
from pytest_navigator.deploy.triton.configs import PythonModelConfig
from pytest_navigator.deploy.triton.files import of_bytes
from pytest_navigator.deploy.triton.python_model import PythonModel
from pytest_navigator.deploy.triton.python_settings import settings_of
from pytest_navigator.package.running import artifacts

if TYPE_CHECKING:
    from pytest_navigator.deploy.triton.deployed import Deployed
    from pytest_navigator.deploy.triton.files import File, Files
    from pytest_navigator.deploy.triton.model_config import ModelConfig


def contents(deployed: Deployed, config: ModelConfig) -> Files:
    """Return the files of the version."""
    folder, variant = f"{deployed.folder}/", deployed.chosen.variant
    own: dict[str, File] = {
        name.removeprefix(folder): partial(deployed.package.chunks, name) for name in deployed.files
    }
    if isinstance(config, PythonModelConfig):
        return {**own, config.default_model_filename or config.file: of_bytes(_model_py(deployed, config).encode())}
    target = config.default_model_filename or config.file
    main = own.pop(variant.file)
    # The weights of an ONNX file stand beside it: then its name is that of a folder with both.
    return {f"{target}/model.onnx": main, **{f"{target}/{n}": f for n, f in own.items()}} if own else {target: main}


def _model_py(deployed: Deployed, config: ModelConfig) -> str:
    found, facts = deployed.chosen, deployed.results.source_facts
    check_arguments(found.variant, making=False)
    check_parameters(found.variant)
    subject = Subject(
        found.variant,
        deployed.signature,
        facts.model,
        facts.device,
        facts.profiling_batch,
        {},
        settings=settings_of(found.runner, deployed.settings),
        data={"interface": deployed.made.interface},
        runner=found.runner.name,
    )
    kind = artifacts.runner_class(found.runner)
    return PythonModel(kind, subject, config.batching, _head(deployed)).text()


def _head(deployed: Deployed) -> tuple[str, ...]:
    """Return what a file says of itself."""
    found = deployed.chosen
    packages = (deployed.package.status.get("environment") or {}).get("python_packages") or {}
    known = [f"{name} {packages[name]}" for name in ("numpy", *found.runner.requires) if name in packages]
    checked = f"; it was checked with {', '.join(known)}" if known else ""
    needs = f"The server's Python needs numpy and {', '.join(found.runner.requires)}{checked}."
    return (f"{found.place}, as Triton's Python backend runs it; written by pytest-navigator.", "", needs)

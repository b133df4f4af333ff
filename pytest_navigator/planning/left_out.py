"""Why a name that means something is not part of a run, and what to write to have it there (pure)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_navigator.configuration.settings import with_origin
from pytest_navigator.core.kinds import KINDS
from pytest_navigator.core.variants import covers, precise
from pytest_navigator.errors import ConfigError, unknown
from pytest_navigator.planning.choosing import as_written, runs
from pytest_navigator.planning.expansion import defaults, meant
from pytest_navigator.text import with_article

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_navigator.core.variants import Variant
    from pytest_navigator.formats.base import Format
    from pytest_navigator.formats.registry import Registry
    from pytest_navigator.planning.choosing import Choice
    from pytest_navigator.runners.spec import RunnerSpec


def check(choice: Choice) -> None:
    """Refuse names that mean nothing, and requirements that this run leaves out, wholly or in part.

    A run of fewer formats may have the same `xfail` and the same budgets.

    Raises:
        ConfigError: with the name, why it is left out, and what to write.
    """
    settings, matrix = choice.settings, choice.matrix
    formats = {name for v in matrix.variants.values() for name in (v.key, v.format)}
    cells = {matrix.cell_id(key, runner) for key, runner in matrix.cells}
    _check_known("xfail of nav_config", settings.config.xfail, formats | cells, choice)
    runners = {name for runner in matrix.runners.values() for name in (runner.name, runner.runtime)}
    budgets = [line.split()[0] for line in settings.budgets]
    _check_known(f"budget ({settings.all['budgets'].origin}) of", budgets, formats | cells | runners, choice)
    for name, reason in _check_known("required format", settings.require, formats | cells | runners, choice).items():
        what = "runner" if _called(name, choice.registry) else "format"
        raise ConfigError(f"required {what} {name!r} is known, but not part of this run: {reason}")
    for name in settings.require:
        _check_whole(name, choice)


def _check_known(what: str, names: Iterable[str], valid: set[str], choice: Choice) -> dict[str, str]:
    """Return why this run leaves out what some names mean, by the name; refuse what means nothing in any run."""
    reasons = {name: why(name, choice) for name in names if name not in valid}
    for name, reason in reasons.items():
        if not reason:
            raise unknown(what, name, valid)
    return reasons


def _check_whole(name: str, choice: Choice) -> None:
    # Some variants of a format are not all of it, and a green run would look as if they were.
    there = [v.key for v in choice.everything.values() if covers(name, v) and v.key in choice.matrix.variants]
    for variant in choice.everything.values():
        if covers(name, variant) and variant.key not in there:
            raise ConfigError(
                f"required format {name!r} is {variant.key} too, which is not part of this run: "
                f"{why(variant.key, choice)}, or require {', '.join(there)} alone"
            )


def why(name: str, choice: Choice) -> str:
    """Return why the settings leave out what a name means, and what to write; "" if it means nothing."""
    framework = choice.matrix.framework
    if runners := _called(name, choice.registry):
        return _of_runners(runners, choice)
    for own, runner in _readings(name, choice.registry):
        form = meant(own, choice.registry, framework)
        if form is None or (runner and not _is_cell(own, form, runner, choice.everything, choice.registry, framework)):
            continue
        if framework not in (form.name, *form.frameworks):
            return f"it cannot be made of {with_article(framework)} model (it is made of: {', '.join(form.frameworks)})"
        return _of_format(own, form, choice) or _of_runner(runner or form.runner_specs[0], choice)
    return ""


def _called(name: str, registry: Registry) -> list[RunnerSpec]:
    """Return the runners that a name means: one by its own, or those of a runtime."""
    return [runner for runner in registry.runners().values() if name in (runner.name, runner.runtime)]


def _of_runners(runners: Sequence[RunnerSpec], choice: Choice) -> str:
    """Return why none of the runners that a name means, a runner's own or a runtime's, has a cell."""
    framework = choice.matrix.framework
    forms = {form.name: form for form in choice.registry.formats.values()}
    possible = [r for r in runners if framework in (r.format, *forms[r.format].frameworks)]
    if not possible:
        return f"it runs {_formats_of(runners)}, which cannot be made of {with_article(framework)} model"
    made = {variant.format for variant in choice.matrix.variants.values()}
    if running := [runner for runner in possible if runner.format in made]:
        return _of_runner(running[0], choice)
    reason = _of_format(possible[0].format, forms[possible[0].format], choice)
    return f"it runs {_formats_of(possible)}, which is not made: {reason}"


def _formats_of(runners: Iterable[RunnerSpec]) -> str:
    return ", ".join(dict.fromkeys(runner.format for runner in runners))


def means(name: str, keys: Iterable[str], registry: Registry, framework: str) -> bool:
    """Whether a name means a format or a cell, of a run with these variants or of another one."""
    forms = ((own, meant(own, registry, framework), runner) for own, runner in _readings(name, registry))
    return any(form and (not r or _is_cell(own, form, r, keys, registry, framework)) for own, form, r in forms)


def _is_cell(
    key: str, form: Format, runner: RunnerSpec, keys: Iterable[str], registry: Registry, framework: str
) -> bool:
    """Whether a variant has this key, one of these or in another run, and this runner runs it."""
    return key in {*keys, *defaults(registry, framework), *form.on_request()} and runner.format == form.name


def _readings(name: str, registry: Registry) -> list[tuple[str, RunnerSpec | None]]:
    """Return what a name may say: a format alone, or with each of the runners that its end may mean."""
    cells = [(name.removesuffix(end), r) for r in registry.runners().values() if name.endswith(end := f"-{r.runtime}")]
    return [(name, None), *cells]


def _of_format(name: str, form: Format, choice: Choice) -> str:
    """Return why no variant of this name is there; "" where only its runners are missing."""
    there = [variant for variant in choice.everything.values() if covers(name, variant)]
    if any(covers(name, variant) for variant in choice.matrix.variants.values()):
        return ""
    if there and not any(precise(variant, choice.settings.precisions) for variant in there):
        return _setting("precisions", str(there[0].parameters["precision"]), choice)
    if choice.settings.formats is not None:
        return _setting("formats", name, choice)
    if there:
        return ""
    formats = {variant.format for variant in choice.everything.values()}
    if not choice.live and form.parent_for(choice.matrix.framework) not in formats:
        return "it is neither in the package nor made of what is in it"
    made = [variant.format for variant in choice.matrix.variants.values() if _asked(variant, choice)]
    return f"it is made only where it is named; {_flag('formats', made, name)}"


def _asked(variant: Variant, choice: Choice) -> bool:
    return variant.key not in choice.matrix.implied and variant.format != choice.matrix.framework


def _of_runner(runner: RunnerSpec, choice: Choice) -> str:
    """Return why a runner has no cells."""
    settings, matrix = choice.settings, choice.matrix
    if not runs(runner, settings.runtimes):
        if settings.runtimes:
            return _setting("runtimes", runner.runtime, choice)
        runtimes = [record.runtime for record in matrix.runners.values()]
        return f"{runner.name} runs only where it is named; {_flag('runtimes', runtimes, runner.runtime)}"
    if settings.device in KINDS and settings.device != runner.device:
        return f"{with_origin(settings, 'device')} leaves it out: {runner.name} runs on {runner.device!r}"
    return f"{runner.name} runs the live model, which a package does not have" if runner.live else ""


def _setting(option: str, more: str, choice: Choice) -> str:
    value, origin = choice.settings.all[option].value, choice.settings.all[option].origin
    names = as_written(choice.settings, choice.registry) if option == "formats" else value
    places = {
        "nav_config": f"add {more!r} to the {option} of nav_config",
        f"ini: nav_{option}": f"add {more} to nav_{option} in the ini file",
    }
    return f"{option} = {', '.join(names)} ({origin}) leave it out; {places.get(origin) or _flag(option, names, more)}"


def _flag(option: str, names: Sequence[str], more: str) -> str:
    return f"write --nav-{option}={','.join(dict.fromkeys((*names, more)))}"

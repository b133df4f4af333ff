"""What a format or a runner contributes to a script: source text for one model."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_navigator.core.records import LoaderRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pytest_navigator.core.plain import JSON, Parameters
    from pytest_navigator.core.records import Signature
    from pytest_navigator.core.variants import Variant


@dataclass(frozen=True)
class Subject:
    """What a script is about.

    Attributes:
        variant: the artifact; parent: the one that it is converted from; runner: name of the runner, "" for none.
        signature: of the source.
        model: type of the source ("package.module.Class"); device: where it is.
        batch: path of the batch that exports, conversions and profiles start from, below the package's root.
        shapes: of the arrays in that batch, by input name.
        seed: of the random states in the setup of `nav_model`.
        settings: numeric and thread settings, `{"torch": {"num_threads": 2}}`.
        data: what the export or conversion has recorded; empty before it, and when it failed.
        loader: what a conversion may need to know of the user's loader.
        installed: "python" and the distributions -> their versions in another Python that the script is for; empty: it
            is for this one.
    """

    variant: Variant
    signature: Signature
    model: str
    device: str
    batch: str
    shapes: dict[str, tuple[int, ...]]
    seed: int = 0
    settings: Mapping[str, Mapping[str, JSON]] = field(default_factory=dict)
    data: Parameters = field(default_factory=dict)
    parent: Variant | None = None
    runner: str = ""
    loader: LoaderRecord = field(default_factory=LoaderRecord)
    installed: Mapping[str, str] = field(default_factory=dict)

    @property
    def artifact(self) -> str:
        """Path of the artifact below the package's root."""
        return f"{self.variant.key}/{self.variant.file}"


@dataclass(frozen=True)
class MakingCode:
    """How an artifact is made.

    Attributes:
        body: statements that write `args.output`. An export has `model`, the live object, and `batch`, arrays by input
            name; a conversion has `args.artifact`, the path of the parent's artifact, and `batch`.
        imports: lines. helpers: source text of functions and classes that the body uses.
        functions: others that it uses, see `sources`: the script has their own source text.
        seeding: statements that seed what the live object may draw from, beside Python's and numpy's own generators.
    """

    body: str
    imports: tuple[str, ...] = ()
    helpers: str = ""
    seeding: str = ""
    functions: tuple[Callable[..., object], ...] = ()

    def then(self, after: MakingCode) -> MakingCode:
        """Return this and what comes after it."""
        return MakingCode(
            body=f"{self.body}\n{after.body}",
            imports=(*self.imports, *after.imports),
            helpers="\n\n\n".join(part.strip() for part in (self.helpers, after.helpers) if part),
            seeding=self.seeding or after.seeding,
            functions=(*self.functions, *after.functions),
        )


@dataclass(frozen=True)
class CommandLine:
    """How an artifact is made by a program.

    Attributes:
        arguments: of the command, the program first; paths are below the package's root.
        main: a Python statement that runs the program: it need not be on the PATH.
        environment: variables that it needs.
        before: what has to be made first, and the name of its file beside the artifact; None: nothing.
    """

    arguments: tuple[str, ...]
    main: str
    environment: dict[str, str] = field(default_factory=dict)
    before: tuple[str, MakingCode] | None = None


@dataclass(frozen=True)
class RunnerCode:
    """How an artifact or the live model is loaded and called.

    Attributes:
        load: statements that give `model`, from `args.artifact`, the path; of a live runner they may change `model`.
        prepare: statements that give what `call` uses from `feed`, arrays by input name; they are not timed.
        call: statements that give `y`; they are what is timed.
        outputs: an expression of a dict of numpy arrays by output name, from `y`.
        context: an expression of the context of the calls ("torch.inference_mode()"), "" for none.
        imports, helpers, seeding, functions: as in MakingCode. output_helpers, output_functions: those that only
            `outputs` uses.
    """

    load: str
    prepare: str
    call: str
    outputs: str
    context: str = ""
    imports: tuple[str, ...] = ()
    helpers: str = ""
    output_helpers: str = ""
    seeding: str = ""
    functions: tuple[Callable[..., object], ...] = ()
    output_functions: tuple[Callable[..., object], ...] = ()

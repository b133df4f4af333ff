"""What the source gives for the samples of its loader: run one after another, written at once, up to a limit."""

from __future__ import annotations

import hashlib
import shutil
from itertools import takewhile
from typing import TYPE_CHECKING

import numpy as np

from pytest_navigator.backends.files.description import misdeclared, named, widened
from pytest_navigator.backends.files.source import FileSource
from pytest_navigator.comparison.computed import moved
from pytest_navigator.comparison.correctness import Comparison, failure_line
from pytest_navigator.core.digests import digest_of_arrays
from pytest_navigator.core.records import Case, Signature
from pytest_navigator.engine.correctness import functions_of, rules_of
from pytest_navigator.engine.inference import AT_BATCH_1, DRAWS, KEEPS, UNKNOWN, Repetition, SourceModel
from pytest_navigator.engine.row_hints import row_hint
from pytest_navigator.engine.said_signature import who_says
from pytest_navigator.errors import SourceError
from pytest_navigator.frameworks.seeding import seeded
from pytest_navigator.samples.npz import load_npz, npz_name, save_npz
from pytest_navigator.samples.signatures import (
    Run,
    check_output_axes,
    infer_inputs,
    infer_outputs,
    resized,
    row,
    with_constant_batch,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_navigator.comparison.computed import Computed
    from pytest_navigator.configuration.config import NavConfig
    from pytest_navigator.core.records import Description
    from pytest_navigator.engine.context import Context
    from pytest_navigator.engine.inference import Arrays
    from pytest_navigator.frameworks.base import Source
    from pytest_navigator.samples.reading import Samples

FOLDERS = ("model_input", "model_output")
ROWS = ".rows"  # Where the first rows wait until it is known which samples stay and which axes are the batch


class Observation:
    """Runs the source on every sample as it is, and on its first row; one sample's outputs are in memory at a time.

    Args:
        config: the suite's, with what the source knows better.
        own: what the source says of itself.

    Attributes:
        samples: those that stay, see `Samples.limited`.
        sizes: their batch sizes, None without a batch axis.
        bytes: of their inputs and outputs.
        repetition: how second runs compared, on the samples with extreme shapes.
        computed: what each output is computed in, on the same samples.
        only_batch_1: why the model, whose loader has batches of 1 only, takes no others; "" if it does.
        rows_repeat: whether it gives two rows what it gives each of them; None: that loader has larger batches.
    """

    repetition: Repetition
    only_batch_1: str = ""
    rows_repeat: bool | None = None
    computed: Mapping[str, Computed]

    def __init__(
        self, context: Context, source: Source, samples: Samples, config: NavConfig, own: Description | None
    ) -> None:
        self.samples = samples
        self.sizes: dict[int, int | None] = {}
        self.bytes: dict[int, int] = {}
        self._context = context
        self._config = config
        self._own = own
        self._root = context.folder.path
        self._inputs = infer_inputs(samples, config.batch_dim, config.dynamic_axes, config.unbatched)
        given = any(self._batch_size(arrays) == 1 for arrays in samples.kept.values())
        hint = row_hint(len(self._inputs), given, in_file=bool(context.host.file_config.path))
        self._model = SourceModel(source, samples.tree, config.output_names, config.comparisons, hint)
        self._count = max(samples.kept) + 1
        self._digests: dict[int, str] = {}
        self._runs: list[Run] = []

    def run(self) -> list[Case]:
        """Run the source and write what it gave; return the comparisons to make.

        Raises:
            SourceError: the model does not keep its contract. No file is left then.
            ConfigError: a setting names an output or an axis that does not exist.
        """
        self._clear(*FOLDERS)
        try:
            self.samples = self.samples.limited(list(takewhile(self._add, self.samples.ranking)))
            self.only_batch_1 = self._only_batch_1()
            return self._cases()
        # After Ctrl-C too: packages are written all the same, and some of the samples must not stand for all.
        except BaseException:
            self._clear(*FOLDERS)
            raise
        finally:
            self._clear(ROWS)

    @property
    def signature(self) -> Signature:
        """What the inferences so far show of inputs and outputs."""
        outputs = infer_outputs(self._runs, self._inputs, self._config.batch_dim)
        check_output_axes(self._config.dynamic_axes, self._inputs, outputs)
        framework, tree = self._model.source.framework, self._model.tree
        arrays, dim = framework.array_type or framework.name, self._config.batch_dim
        inputs, outputs = self._inputs, widened(outputs, self._own and named(self._own, self._config))
        if self.only_batch_1:
            inputs, outputs = with_constant_batch(inputs, dim), with_constant_batch(outputs, dim)
        assert tree is not None
        return Signature(inputs, outputs, self._model.input_tree, tree, dim, arrays)

    @property
    def misdeclared(self) -> list[str]:
        """What the model file declares of its outputs and does not keep."""
        outputs = infer_outputs(self._runs, self._inputs, self._config.batch_dim)
        if self._own is None:
            return []
        source = self._model.source
        model = source.model if isinstance(source, FileSource) else None
        who = who_says("outputs", self._own.outputs, self._context.host.file_config, model)
        return misdeclared(outputs, named(self._own, self._config), who)

    @property
    def digest(self) -> str:
        """SHA-256 of all that went in and came out: parameters stay the same where the code or the data changes."""
        text = "".join(f"{index} {digest}\n" for index, digest in sorted(self._digests.items()))
        return hashlib.sha256(text.encode()).hexdigest()

    def file(self, index: int) -> str:
        """Return the name of the file that a sample is in, as the loader gave it; below each of `FOLDERS`."""
        return f"batches/{npz_name(index, self._count)}"

    def _add(self, index: int) -> bool:
        """Run and write one sample; False, and nothing is kept, if it does not fit."""
        arrays = self.samples.kept[index]
        outputs = self._model(arrays, f"sample {index}")
        size = sum(array.nbytes for array in (*arrays.values(), *outputs.values()))
        limit: int = self._context.suite.settings.max_sample_bytes
        # Samples with extreme shapes are kept whatever they take: exports and engines are made for these shapes.
        if index not in self.samples.conversion and sum(self.bytes.values()) + size > limit:
            return False
        self.bytes[index] = size
        self.sizes[index] = self._batch_size(arrays)
        self._note(f"sample {index}", self.sizes[index], arrays, outputs)
        self._save("", self.file(index), arrays, outputs)
        if self._has_row(index):
            self._add_row(index, arrays)
        self._repeat(index, arrays, outputs)
        return True

    def _batch_size(self, arrays: Arrays) -> int | None:
        """Return the size of the batch; None where no input has one."""
        dim = self._config.batch_dim
        batched = (arrays[spec.name].shape for spec in self._inputs if spec.batched)
        return None if dim is None else next((shape[dim] for shape in batched), None)

    def _add_row(self, index: int, arrays: Arrays) -> None:
        first = row(arrays, self._inputs, self._config.batch_dim)
        outputs = self._model(first, f"sample {index}{AT_BATCH_1}")
        self._note(f"sample {index}{AT_BATCH_1}", 1, first, outputs)
        self._save(ROWS, f"{index}.npz", first, outputs)

    def _only_batch_1(self) -> str:
        """Ask for a batch of 2 if the loader has none: exporters need one where the batch axis is to be dynamic."""
        if not set(self.sizes.values()) <= {0, 1} or self._config.dynamic_axes:
            return ""
        arrays = self.samples.kept[self.samples.profiling]
        try:
            outputs = self._model(resized(arrays, self._inputs, self._config.batch_dim, 2), "a batch of 2")
        except SourceError as error:
            return str(error)
        self.rows_repeat = self._gives_twice(outputs)
        return ""

    def _gives_twice(self, outputs: Arrays) -> bool:
        """Whether a batch of two equal rows gave twice what one row gave."""
        signature = self.signature
        once = load_npz(self._root / FOLDERS[1] / self.file(self.samples.profiling), signature.outputs)
        twice = resized(once, signature.outputs, signature.batch_dim, 2)
        comparison = Comparison(self.repetition.checked(self.repetition.rules))
        comparison.add(self.samples.profiling, "batch", *map(self.repetition.checked, (twice, outputs)))
        return not failure_line(comparison.reports())

    def _repeat(self, index: int, arrays: Arrays, outputs: Arrays) -> None:
        if not self._digests:
            self.computed = self._model.watched(arrays, outputs)
            self.repetition = self._first_repetition()
        if index in self.samples.conversion:
            found = self._model.watched(arrays, outputs)
            self.computed = {name: moved((own, found[name])) for name, own in self.computed.items()}
            again = self._model(arrays, f"sample {index}, second run")
            self.repetition.add(index, outputs, again, lambda: self._why_it_changes(arrays))
        places = {"in": arrays, "out": self.repetition.checked(outputs)}
        self._digests[index] = digest_of_arrays({f"{p} {n}": a for p, of in places.items() for n, a in of.items()})

    def _why_it_changes(self, arrays: Arrays) -> str:
        """Run the model twice from the same random state: what draws random numbers gives the same then."""
        framework, found = self._model.source.framework, []
        for turn in ("third", "fourth"):
            with seeded(0, [framework]):
                found.append(self._model(arrays, f"a sample's {turn} run"))
        same = all(np.array_equal(array, found[1][name]) for name, array in found[0].items())
        if same:
            return DRAWS
        return UNKNOWN if isinstance(self._model.source, FileSource) else KEEPS

    def _first_repetition(self) -> Repetition:
        """Find the rules of the outputs: a tolerance for one that does not exist is found now, not after an export."""
        context, signature = self._context, self.signature
        for key, _ in context.suite.matrix.cells:
            rules_of(context, context.suite.matrix.variants[key], signature)
        rules = rules_of(context, context.variant, signature, self.computed)
        return Repetition(rules, functions_of(context, context.variant, signature))

    def _note(self, place: str, batch: int | None, inputs: Arrays, outputs: Arrays) -> None:
        self._runs.append(Run(place, batch, _hollow(inputs), _hollow(outputs)))

    def _cases(self) -> list[Case]:
        """Write first rows in Model Navigator's layout; return the comparisons with the batches and with them."""
        chosen = {"correctness": self.samples.correctness, "conversion": self.samples.conversion}
        chosen["profiling"] = (self.samples.profiling,)
        signature, rows = self.signature, dict[int, Case]()
        for folder, indices in chosen.items():
            for n, index in enumerate(i for i in indices if self.sizes[i] != 0):
                name = f"{folder}/{npz_name(n, len(indices))}"
                self._save_row(index, name, signature)
                rows.setdefault(index, Case(index, "row", *_paths(name), 1))
        batches = [Case(i, "batch", *_paths(self.file(i)), size) for i, size in sorted(self.sizes.items())]
        return [*batches, *(case for i, case in rows.items() if self._has_row(i))]

    def _has_row(self, index: int) -> bool:
        """Whether the first row is another sample than the batch; an empty batch has none."""
        return self.sizes[index] not in (None, 0, 1)

    def _save_row(self, index: int, name: str, signature: Signature) -> None:
        for top, specs in zip(FOLDERS, (signature.inputs, signature.outputs), strict=True):
            kept = f"{ROWS}/{top}/{index}.npz" if self._has_row(index) else f"{top}/{self.file(index)}"
            save_npz(self._root / top / name, load_npz(self._root / kept, specs), specs, signature.batch_dim)

    def _save(self, below: str, name: str, inputs: Arrays, outputs: Arrays) -> None:
        for top, arrays in zip(FOLDERS, (inputs, outputs), strict=True):
            save_npz(self._root / below / top / name, arrays)

    def _clear(self, *folders: str) -> None:
        for folder in folders:
            shutil.rmtree(self._root / folder, ignore_errors=True)


def _paths(name: str) -> tuple[str, str]:
    return f"{FOLDERS[0]}/{name}", f"{FOLDERS[1]}/{name}"


def _hollow(arrays: Mapping[str, np.ndarray]) -> Arrays:
    """Return arrays of the same shapes and types that hold no more than one element."""
    return {name: np.broadcast_to(np.empty((), array.dtype), array.shape) for name, array in arrays.items()}

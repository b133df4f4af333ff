"""Two calls measured beside each other in one process: what is left of a difference once the machine's noise is out.

Blocks of calls alternate, old new new old or the other way round, so that whatever drifts meets both. Of such a quad
counts the fastest call of each side, without the time that it waited for a processor, and the time on the processor,
which tells slow code from a process that slept. A block has as many calls as take 20 ms on an idle machine, however
long they take here: of 20 ms on two processors with five busy processes, three calls of 2.6 ms were left, none of them
undisturbed, and rounds differed by 10 % where they now differ by 2 %. Both sides are made anew for each round: a
session has a speed of its own, by where its memory lies.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from math import inf, log
from random import Random
from statistics import median
from typing import TYPE_CHECKING, TypeAlias

from pytest_navigator.profiling.clocks import clocks
from pytest_navigator.profiling.measuring import NS_PER_MS, NS_PER_S, undisturbed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from pytest_navigator.profiling.clocks import Clock

    Call: TypeAlias = Callable[[], object]
    """The bare inference, done when it returns."""
    Side: TypeAlias = Callable[[], AbstractContextManager[Call]]
    """Loads what is measured, gives its call, and frees it again."""
    Rounds: TypeAlias = Sequence[Sequence["Quad"]]

ROUNDS = 4
ROUND = 5 * NS_PER_S // 2  # ns of a round, loading and warm-up apart
WARM_UP = NS_PER_S // 4  # ns of each side, before each round
BLOCK = NS_PER_S // 50  # ns that the calls of a block would take undisturbed
SLOW = 2 * NS_PER_S // 5  # ns of a call from which on a block is a single call
QUADS = 12  # that a judgement needs; fewer prove nothing by the sign test at 99.5 % and tell nothing of spread
SHORT = NS_PER_MS // 5  # ns of a call that seldom has to wait, and that looking at the waiting would make longer
LEAST = QUADS // ROUNDS  # in a round, whatever they take

OLD, NEW = 0, 1
ORDERS = ((OLD, NEW, NEW, OLD), (NEW, OLD, OLD, NEW))


@dataclass(frozen=True)
class Quad:
    """Four blocks, two of each side: logarithms of new over old.

    Attributes:
        fastest: of the fastest calls; processor: of the processor time of a call.
    """

    fastest: float
    processor: float


@dataclass(frozen=True)
class Paired:
    """What two calls took beside each other.

    Attributes:
        rounds: the quads of each; in each round both sides were loaded anew.
        old, new: the fastest call of all, ms.
        threads: processors at work during a call: its processor time over its duration without waiting; the median of
            the blocks.
        seconds: that it took, loading included.
    """

    rounds: tuple[tuple[Quad, ...], ...] = ()
    old: float = 0.0
    new: float = 0.0
    threads: float = 0.0
    seconds: float = 0.0

    @property
    def quads(self) -> list[Quad]:
        """Those of all rounds."""
        return [quad for each in self.rounds for quad in each]


def compare(
    old: Side,
    new: Side,
    *,
    enough: Callable[[Rounds], bool] = lambda rounds: False,
    seed: int = 0,
    seconds: float = inf,
    clock: Clock | None = None,
) -> Paired:
    """Measure two calls beside each other, in four rounds of 2.5 s.

    A round has three quads at least, however slow the calls are: of calls above 0.4 s a block is one call.

    Args:
        enough: asked of the rounds so far after the first twelve quads, and after each round: whether to stop.
        seed: of the order of blocks and of loading.
        seconds: limit of the whole; what was measured until then is the result.
        clock: None: this thread's.
    """
    with nullcontext(clock) if clock else clocks() as own:
        return _compare(old, new, enough, Random(seed), seconds, own)


def _compare(
    old: Side, new: Side, enough: Callable[[Rounds], bool], random: Random, seconds: float, clock: Clock
) -> Paired:
    begin = clock.wall()
    session = _Session(random, clock, begin + seconds * NS_PER_S, enough)
    rounds: list[tuple[Quad, ...]] = []
    while len(rounds) < ROUNDS and not session.done(rounds):
        with _loaded(old, new, session.random) as calls, undisturbed():
            rounds.append(tuple(session.round(calls, rounds)))
    return Paired(
        tuple(rounds),
        old=session.fastest(OLD) / NS_PER_MS,
        new=session.fastest(NEW) / NS_PER_MS,
        threads=median(session.threads) if session.threads else 0.0,
        seconds=(clock.wall() - begin) / NS_PER_S,
    )


@contextmanager
def _loaded(old: Side, new: Side, random: Random) -> Iterator[tuple[Call, Call]]:
    """Load both in random order; what was loaded first is freed last, as modes of a framework have to be."""
    calls: dict[int, Call] = {}
    with ExitStack() as stack:
        for side in random.choice(((OLD, NEW), (NEW, OLD))):
            calls[side] = stack.enter_context((old, new)[side]())
        yield calls[OLD], calls[NEW]


@dataclass(frozen=True)
class _Block:
    """One block of calls, in ns: the fastest, the processor time of one; and how many processors were at work."""

    fastest: int
    processor: float
    threads: float


@dataclass
class _Session:
    """What rounds have in common."""

    random: Random
    clock: Clock
    deadline: float
    enough: Callable[[Rounds], bool]
    blocks: tuple[list[_Block], list[_Block]] = field(default_factory=lambda: ([], []))
    threads: list[float] = field(default_factory=list)

    def done(self, rounds: Rounds) -> bool:
        return self.late() or (sum(map(len, rounds)) >= QUADS and self.enough(rounds))

    def late(self) -> bool:
        return self.clock.wall() >= self.deadline

    def fastest(self, side: int) -> int:
        return min((block.fastest for block in self.blocks[side]), default=0)

    def round(self, calls: tuple[Call, Call], before: Rounds) -> list[Quad]:
        """Return the quads of one round, after earlier ones."""
        slowest = max(self._warm_up(call) for call in calls)
        slow, count = slowest > SLOW, max(1, BLOCK // slowest)
        quads: list[Quad] = []
        end = self.clock.wall() + (0 if slow else ROUND)
        while not self.late() and (len(quads) < LEAST or self.clock.wall() < end):
            quads.append(self._quad(calls, count, exact=slowest >= SHORT, single=slow))
            if sum(map(len, before)) + len(quads) == QUADS and self.enough([*before, quads]):
                break
        return quads

    def _warm_up(self, call: Call) -> int:
        """Return the fastest call of a while, in ns."""
        end, fastest = self.clock.wall() + WARM_UP, self.clock.undisturbed(call)
        while self.clock.wall() < end:
            fastest = min(fastest, self.clock.undisturbed(call))
        return max(1, fastest)

    def _quad(self, calls: tuple[Call, Call], count: int, *, exact: bool, single: bool) -> Quad:
        found: tuple[list[_Block], list[_Block]] = ([], [])
        for side in self.random.choice(ORDERS):
            if not single:
                calls[side]()  # The other side's block took the caches.
            found[side].append(self._block(calls[side], count, exact=exact))
        for side in (OLD, NEW):
            self.blocks[side].extend(found[side])
            self.threads.extend(block.threads for block in found[side])
        fastest = (min(block.fastest for block in side) for side in found)
        return Quad(_ratio(*fastest), _ratio(*(sum(block.processor for block in side) for side in found)))

    def _block(self, call: Call, count: int, *, exact: bool) -> _Block:
        begin, spent = self.clock.wall(), self.clock.processor()
        if exact:
            found = [self.clock.computed(call) for _ in range(count)]
            fastest, own = min(found)
        else:  # of which anything that is kept of a call would be a share
            found, own = [], 0
            fastest = min(self.clock.latency(call) for _ in range(count))
        spent = self.clock.processor() - spent
        took = sum(each for each, _ in found) or self.clock.wall() - begin
        # Both of the same calls: a mean over the fastest call is 1.4 with one thread beside others. Threads that others
        # hold up are at work together in the fastest call; what spins between calls is seen in all of them.
        threads = max(spent / max(1, took), own / max(1, fastest))
        return _Block(max(1, fastest), spent / count, threads)


def _ratio(old: float, new: float) -> float:
    """Return the logarithm of new over old; a clock that has not moved tells nothing: 0."""
    return log(new / old) if old > 0 and new > 0 else 0.0

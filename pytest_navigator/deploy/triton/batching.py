"""How requests become batches: Triton's dynamic batcher and its queues."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from pytest_navigator.deploy.triton.rules import COUNT, FLAG, Rule, check, instance, member, optional, several, whole

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class TimeoutAction(StrEnum):
    """What happens to a request that waited too long."""

    REJECT = "REJECT"
    DELAY = "DELAY"


@dataclass(frozen=True)
class QueuePolicy:
    """How long requests wait, and how many.

    Attributes:
        timeout_action: what happens to a request that waited too long.
        default_timeout_microseconds: how long a request may wait; 0: for ever.
        allow_timeout_override: whether a request may say its own.
        max_queue_size: how many requests wait; 0: any number.

    Raises:
        ConfigError: a value is not possible.
    """

    timeout_action: TimeoutAction = TimeoutAction.REJECT
    default_timeout_microseconds: int = 0
    allow_timeout_override: bool = False
    max_queue_size: int = 0

    def __post_init__(self) -> None:
        check(self, timeout_action=member(TimeoutAction), default_timeout_microseconds=COUNT)
        check(self, allow_timeout_override=FLAG, max_queue_size=COUNT)


@dataclass(frozen=True)
class DynamicBatcher:
    """Requests that wait at the same time become one batch.

    Attributes:
        max_queue_delay_microseconds: how long a request waits for others.
        preferred_batch_size: sizes that are worth waiting for; none is above `max_batch_size`.
        preserve_ordering: whether answers come in the order of the requests.
        priority_levels: how many priorities there are; 0: none.
        default_priority_level: that of a request without one.
        default_queue_policy: of every priority without its own; priority_queue_policy: by priority.

    Raises:
        ConfigError: a value is not possible.
    """

    max_queue_delay_microseconds: int = 0
    preferred_batch_size: Sequence[int] | None = None
    preserve_ordering: bool = False
    priority_levels: int = 0
    default_priority_level: int = 0
    default_queue_policy: QueuePolicy | None = None
    priority_queue_policy: Mapping[int, QueuePolicy] | None = None

    def __post_init__(self) -> None:
        check(self, max_queue_delay_microseconds=COUNT, preferred_batch_size=optional(several(whole(1))))
        check(self, preserve_ordering=FLAG, priority_levels=COUNT, default_queue_policy=optional(instance(QueuePolicy)))
        check(self, default_priority_level=whole(min(1, self.priority_levels), self.priority_levels))
        if self.priority_queue_policy is not None:
            check(self, priority_queue_policy=_by_priority(self.priority_levels))


def _by_priority(levels: int) -> Rule:
    def fits(value: Any) -> bool:
        policies = isinstance(value, dict) and all(isinstance(each, QueuePolicy) for each in value.values())
        return policies and all(type(level) is int and 1 <= level <= levels for level in value)

    return Rule(f"a dict of a QueuePolicy by priority, each from 1 to priority_levels={levels},", fits)

"""The body of a request, as it comes: not more of it than allowed, and not for longer."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_navigator.deploy.protocol.errors import RequestError

if TYPE_CHECKING:
    from starlette.requests import Request

MIB = 2**20

# So much of a body that is too large is received all the same, and dropped, in B: most clients read no answer before
# they have sent all.
DROPPED = 2**30

# In B/s. A client that is slower than that in all has as good as stopped.
LEAST_RATE = 1000


@dataclass(frozen=True)
class Limits:
    """What is received of a client.

    Attributes:
        max_request_mb: size of the largest body in MiB.
        body_timeout_s: how long the next part of a body may take.
        option: what people call the size.
    """

    max_request_mb: int
    body_timeout_s: float = 10.0
    option: str = "--max-request-mb"


async def body_of(request: Request, limits: Limits) -> bytes | bytearray:
    """Receive the body of a request.

    Raises:
        RequestError: it is larger than allowed (413), compressed (415), or does not come (408).
        ClientDisconnect: nor will it.
    """
    coding = request.headers.get("content-encoding", "identity")
    if coding != "identity":
        raise RequestError(f"the body is compressed ({coding[:40]}), which is not read here: send it as it is", 415)
    try:
        return await _received(request, limits)
    except TimeoutError:
        raise RequestError(f"the rest of the body did not come within {limits.body_timeout_s:g} s", 408) from None


async def _received(request: Request, limits: Limits) -> bytes | bytearray:
    body, size, most = bytearray(), 0, limits.max_request_mb * MIB
    now = asyncio.get_running_loop().time
    began = now()
    async with asyncio.timeout(limits.body_timeout_s) as timeout:
        async for part in request.stream():
            size += len(part)
            if size <= most:
                body += part
            elif size > DROPPED:
                break
            timeout.reschedule(min(now(), began + size / LEAST_RATE) + limits.body_timeout_s)
    if size > most:
        raise RequestError(f"the request is larger than {limits.max_request_mb} MiB ({limits.option})", 413)
    return body

"""What is wrong with a request, with the status that HTTP has for it."""

from __future__ import annotations

from pytest_navigator.errors import NavigatorError


class RequestError(NavigatorError):
    """A request that gets an error as its answer.

    Args:
        message: what the client reads.
        status: of HTTP: 400 what the client has to change, 404, 408, 413, 415, 500, 503.
    """

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status

    def content(self) -> dict[str, str]:
        """Return the body of the answer, plain data."""
        # What a client sent, and is told of, may be halves of characters, which no encoding has.
        return {"error": str(self).encode(errors="backslashreplace").decode()}

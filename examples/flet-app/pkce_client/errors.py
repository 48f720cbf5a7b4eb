"""What can go wrong, with codes that stay."""

from __future__ import annotations

from typing import Optional


class PkceError(Exception):
    """A failure with a stable ``code``: the backend's own, or one of the client's.

    ``retryable``: the same call may succeed later, and nothing was lost.
    ``ignorable``: a URL was no answer to a login of this app; drop it and go on waiting.
    ``retry_after``: seconds, where the backend named some.
    Its text holds the code alone: no token and no text of a provider comes into a log by it.
    """

    def __init__(
        self,
        code: str,
        *,
        retryable: bool = False,
        ignorable: bool = False,
        error_id: Optional[str] = None,
        retry_after: float = 0.0,
    ) -> None:
        super().__init__(code if error_id is None else f"{code} ({error_id})")
        self.code = code
        self.retryable = retryable
        self.ignorable = ignorable
        self.error_id = error_id
        self.retry_after = retry_after

"""How old something is, on a device whose clock may be wrong and may jump."""

from __future__ import annotations

import math
from typing import Any, Dict, Tuple

from .wire import Clock

_KEPT = 64


class Ages:
    """Ages of what is dated by the wall clock, by the stricter of both clocks.

    What is older by either clock is older: a jump can make something end early, never late. A date from the future is
    as old as can be.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._seen: Dict[float, Tuple[float, float]] = {}

    def age(self, since: float) -> float:
        """Seconds since a time of the wall clock."""
        wall, monotonic = self._clock.wall(), self._clock.monotonic()
        while len(self._seen) > _KEPT:
            self._seen.pop(next(iter(self._seen)), None)
        first, at = self._seen.setdefault(since, (wall - since, monotonic))
        return math.inf if first < 0 else max(wall - since, first + monotonic - at)

    def token_left(self, session: Dict[str, Any]) -> float:
        """Seconds that the session token of a record still lives."""
        token = session.get("token")
        return 0.0 if token is None else float(token["lifetime"]) - self.age(token["asked_at"])

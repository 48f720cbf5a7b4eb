"""A backend, a network and clocks that do what a test says."""

from __future__ import annotations

import json
from typing import Any, Callable, Dict, List, Optional, Tuple, Union

from pkce_client.wire import Clock, Reply

Script = Union[Reply, OSError, Callable[[Dict[str, Any]], Reply]]
LOST = ConnectionError("lost")


def reply(status: int, /, **body: Any) -> Reply:
    return status, {"Pkce-Protocol": "1"}, json.dumps(body).encode()


def refusal(status: int, code: str, retryable: bool = False) -> Reply:
    return reply(status, error=code, retryable=retryable)


def grant(number: int, **more: Any) -> Reply:
    body: Dict[str, Any] = {
        "session_token": f"session-token-{number}",
        "token_type": "Bearer",
        "expires_in": 300,
        "refresh_token": f"refresh-token-{number}",
        "session_id": "S" * 22,
        "server_time": 0,
    }
    body.update(more)
    return reply(200, **{name: value for name, value in body.items() if value is not None})


class FakeClock(Clock):
    """Time passes only in ``sleep`` and by ``move``."""

    def __init__(self) -> None:
        self.now = 1_000_000.0
        self.jumped = 0.0
        self.slept: List[float] = []

    def wall(self) -> float:
        return self.now + self.jumped

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def move(self, seconds: float) -> None:
        self.now += seconds


class FakeBackend:
    """Answers from a script, in order, and keeps what it was sent."""

    def __init__(self) -> None:
        self.script: List[Script] = []
        self.sent: List[Tuple[str, Optional[Dict[str, Any]]]] = []
        self.bearers: List[Optional[str]] = []

    def __call__(
        self, method: str, url: str, headers: Dict[str, str], body: Optional[bytes] = None, timeout: float = 10
    ) -> Reply:
        given = json.loads(body) if body else None
        self.sent.append((url.replace("https://api.example.com/auth", ""), given))
        self.bearers.append(headers.get("Authorization"))
        step = self.script.pop(0) if self.script else LOST
        if isinstance(step, OSError):
            raise step
        return step(given or {}) if callable(step) else step

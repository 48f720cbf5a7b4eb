"""One request to the backend, and what its answer means."""

from __future__ import annotations

import json
import re
import secrets
import threading
import time
from dataclasses import dataclass, field
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple
from urllib.error import HTTPError
from urllib.request import HTTPRedirectHandler, OpenerDirector, Request, build_opener

from .errors import PkceError

_TIMEOUT = 10.0
_PATIENCE = 15.0
_TRIES = 4
_LONGEST_WAIT = 60.0
_LONGEST_BODY = 1 << 20
_TERMINAL = frozenset({"invalid_token", "session_expired", "session_revoked", "session_reuse_detected"})

Reply = Tuple[int, Mapping[str, str], bytes]
"""Status, headers and body of any HTTP answer."""


class Clock:
    """The machine's clocks, in seconds. Tests pass another."""

    def wall(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


@dataclass(frozen=True)
class Answer:
    """What came back. ``status`` 0 is everything that the backend did not say: no answer, a portal's page, a proxy."""

    status: int = 0
    body: Dict[str, Any] = field(default_factory=dict)
    code: Optional[str] = None
    retryable: bool = True
    error_id: Optional[str] = None
    wait: float = 0.0

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    @property
    def is_final(self) -> bool:
        """The backend's last word: no repeat will change it."""
        return not self.ok and not self.retryable

    @property
    def ends_session(self) -> bool:
        """The only answers of ``/refresh`` that log out."""
        return self.status == 401 and self.code in _TERMINAL

    def error(self) -> PkceError:
        return PkceError(
            self.code or "network",
            retryable=self.retryable or self.code is None,
            error_id=self.error_id,
            retry_after=self.wait,
        )


class _NoRedirects(HTTPRedirectHandler):
    """A redirect would carry the credentials to whoever it names."""

    def redirect_request(self, *_: Any) -> None:
        return None


_opener: OpenerDirector = build_opener(_NoRedirects)


def fetch(
    method: str,
    url: str,
    headers: Mapping[str, str],
    body: Optional[bytes] = None,
    timeout: float = _TIMEOUT,
) -> Reply:
    """Any HTTP answer, or OSError. Takes ``timeout`` seconds at most, whatever name servers and slow senders do."""
    outcome: List[Reply] = []

    def work() -> None:
        try:
            request = Request(url, body, dict(headers), method=method)
            try:
                answer = _opener.open(request, timeout=timeout)
            except HTTPError as refusal:
                answer = refusal
            with answer:
                outcome.append((answer.status, answer.headers, answer.read(_LONGEST_BODY)))
        except Exception:
            # Whatever a broken answer makes of the library, it is no answer.
            return

    # urllib's own limit is for each single read, and name resolution has none.
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(timeout)
    if not outcome:
        raise ConnectionError("no answer")
    return outcome[0]


def _formed(form: str, text: object) -> Optional[str]:
    return text if isinstance(text, str) and re.fullmatch(form, text) else None


def read_answer(reply: Reply) -> Answer:
    """The meaning of an answer of the backend; of anybody else's, that nothing is known."""
    status, headers, text = reply
    seconds = _formed(r"\d{1,6}", headers.get("Retry-After"))
    wait = min(float(seconds or 0), _LONGEST_WAIT)
    try:
        body = json.loads(text or b"{}")
    except (ValueError, RecursionError):
        body = None
    # Without the header, or with anything but an object, it is not the backend that speaks, whatever the status.
    if headers.get("Pkce-Protocol") != "1" or not isinstance(body, dict):
        return Answer(wait=wait)
    if 200 <= status < 300:
        return Answer(status, body, retryable=False)
    code = _formed(r"[a-z_]{4,32}", body.get("error"))
    if code is None:
        return Answer(wait=wait)
    retryable = body.get("retryable", status >= 500) is True
    return Answer(status, {}, code, retryable, _formed(r"[0-9a-f]{16}", body.get("error_id")), wait)


class Wire:
    """Speaks to the backend at ``base``, the URL of its mount without a trailing slash."""

    def __init__(self, base: str, clock: Clock, transport: Callable[..., Reply] = fetch) -> None:
        self.base = base
        self.clock = clock
        self._transport = transport

    def send(
        self,
        method: str,
        path: str,
        body: Optional[Mapping[str, Any]] = None,
        bearer: Optional[str] = None,
        timeout: float = _TIMEOUT,
    ) -> Answer:
        headers = {"Pkce-Protocol": "1", "Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        if bearer is not None:
            headers["Authorization"] = f"Bearer {bearer}"
        data = None if body is None else json.dumps(body).encode()
        try:
            return read_answer(self._transport(method, self.base + path, headers, data, timeout))
        except OSError:
            return Answer()

    def repeat(
        self,
        method: str,
        path: str,
        body: Optional[Mapping[str, Any]],
        settled: Callable[[Answer], bool],
    ) -> Answer:
        """Sends the identical request until ``settled``: four times and for 15 s at most.

        The backend answers a repeat as it answered the first, so an unknown outcome is cured by asking again.
        """
        start = self.clock.monotonic()
        for attempt in range(_TRIES):
            left = start + _PATIENCE - self.clock.monotonic()
            answer = self.send(method, path, body, timeout=min(_TIMEOUT, left))
            if settled(answer) or attempt + 1 == _TRIES:
                break
            # Full jitter, so that a fleet of apps does not come back in step.
            jitter = secrets.randbelow(1000) / 1000 * min(4.0, 0.5 * 2**attempt)
            wait = max(jitter, answer.wait)
            if wait >= start + _PATIENCE - self.clock.monotonic():
                break
            self.clock.sleep(wait)
        return answer

"""The app's side of the session line: PKCE carried on, so that a lost answer never logs anybody out.

Each refresh shows the verifier of the last challenge and sets the next one. A refresh whose answer is lost is repeated,
byte for byte, until there is an answer; the backend tells such a repeat from a thief by the challenge.
"""

from __future__ import annotations

import threading
from typing import Any, Callable, Dict, Optional

from .ages import Ages
from .errors import PkceError
from .pkce import challenge_of, random_text
from .store import FileStore, Record
from .wire import Answer, Wire

SPACING = 10.0
"""Seconds between two new steps. The backend knows the last 32: a message may come five minutes late."""
_FRESH = 30.0
# A wait for the spacing, a late repeat, and the step that brings the token.
_ROUNDS = 3
_JOIN = 60.0
_STALLING = frozenset({400, 404, 405, 413, 415})


def read_grant(answer: Answer, verifier: str, asked_at: float) -> Optional[Dict[str, Any]]:
    """What a grant makes of a session; None where the answer is no grant that the line can go on from."""
    body = answer.body
    if not answer.ok or not body.get("session_id") or not body.get("refresh_token"):
        return None
    grant: Dict[str, Any] = {
        "id": body["session_id"],
        "refresh_token": body["refresh_token"],
        "verifier": verifier,
        "pending": None,
        "token": None,
    }
    # A repeat that comes late brings none; then the next step is due.
    if body.get("session_token"):
        lifetime = float(body.get("expires_in") or 0)
        grant["token"] = {"value": body["session_token"], "lifetime": lifetime, "asked_at": asked_at}
    if isinstance(body.get("user_info"), dict):
        grant["user"] = body["user_info"]
    return grant


def credentials_of(session: Dict[str, Any]) -> Dict[str, str]:
    """What proves a session to the backend without a session token."""
    return {"refresh_token": session["refresh_token"], "session_verifier": session["verifier"]}


class Line:
    """Keeps the session token fresh. Threads share one step, and so do processes, by the record."""

    def __init__(self, wire: Wire, store: FileStore, ages: Ages, on_signed_out: Callable[[str], None]) -> None:
        self._wire = wire
        self._store = store
        self._ages = ages
        self._on_signed_out = on_signed_out
        self._one = threading.Lock()
        self._stalled_at: Optional[str] = None
        self._quiet_until = 0.0

    def present(self) -> Optional[str]:
        """The session token if it is still valid."""
        session = self._store.read()["session"]
        return session["token"]["value"] if session and self._ages.token_left(session) > 0 else None

    def token(self, min_ttl: Optional[float] = None) -> Optional[str]:
        """A session token that lives for ``min_ttl`` seconds if one can be had, or None where nobody is logged in."""
        session = self._store.read()["session"]
        if session is None:
            return None
        left = self._ages.token_left(session)
        token: Optional[str] = session["token"]["value"] if left > 0 else None
        if token and left > (_FRESH if min_ttl is None else min_ttl):
            return token
        if token and min_ttl is None:
            # A token that is still valid is never waited for.
            threading.Thread(target=self._advance_quietly, args=(token,), daemon=True).start()
            return token
        try:
            return self.advance(token)
        except PkceError:
            token = self.present()
            if token:
                return token
            raise

    def advance(self, stale: Optional[str]) -> Optional[str]:
        """A token other than ``stale``, by one step if the spacing allows it; else the present one."""
        if not self._one.acquire(timeout=_JOIN):
            raise PkceError("network", retryable=True)
        try:
            for _ in range(_ROUNDS):
                session = self._prepare(stale)
                if session is None:
                    return None
                if session["pending"]:
                    self._send(session)
                    session = self._store.read()["session"]
                    if session is None:
                        return None
                token = self.present()
                if token:
                    return token
                self._wire.clock.sleep(max(0.0, SPACING - self._ages.age(session["stepped_at"])))
            raise PkceError("network", retryable=True)
        finally:
            self._one.release()

    def _advance_quietly(self, stale: str) -> None:
        try:
            self.advance(stale)
        except PkceError:
            # What hinders the renewal shows when the token has ended.
            return

    def _prepare(self, stale: Optional[str]) -> Optional[Dict[str, Any]]:
        """The session with a step to send, or as it is where no new step may begin yet."""

        def draw(record: Record) -> None:
            session = record["session"]
            if session is None or session["pending"] or self._ages.age(session["stepped_at"]) < SPACING:
                return
            # Another thread or process was faster, and its token will do.
            if self._ages.token_left(session) > 0 and session["token"]["value"] != stale:
                return
            # Durable before it is sent: a crash from here on repeats this very step, and a second one would be theft.
            session["pending"] = random_text()
            session["stepped_at"] = self._wire.clock.wall()

        session: Optional[Dict[str, Any]] = self._store.update(draw)["session"]
        if session and session["refresh_token"] == self._stalled_at:
            raise PkceError("stalled")
        return session

    def _send(self, session: Dict[str, Any]) -> None:
        """Sends the step until its outcome is known, or for as long as one may wait."""
        clock = self._wire.clock
        quiet = self._quiet_until - clock.monotonic()
        if quiet > 0:
            raise PkceError("network", retryable=True, retry_after=quiet)
        sent = session["refresh_token"]
        asked_at = clock.wall()

        def grant_of(answer: Answer) -> Optional[Dict[str, Any]]:
            grant = read_grant(answer, session["pending"], asked_at)
            return grant if grant and grant["id"] == session["id"] else None

        def moved() -> bool:
            stored = self._store.read()["session"]
            return stored is None or stored["refresh_token"] != sent

        def stalls(answer: Answer) -> bool:
            return answer.status in _STALLING or answer.is_final

        body = {**credentials_of(session), "session_challenge": challenge_of(session["pending"])}
        answer = self._wire.repeat(
            "POST",
            "/refresh",
            body,
            lambda a: grant_of(a) is not None or a.ends_session or stalls(a) or moved(),
        )
        grant = grant_of(answer)
        if grant or answer.ends_session:
            self._apply(sent, grant, answer.code)
        elif moved():
            return
        elif stalls(answer):
            # A refusal that is no reason to log out: the session is kept, and tried again at the next start.
            self._stalled_at = sent
            raise PkceError("stalled", error_id=answer.error_id)
        else:
            self._quiet_until = clock.monotonic() + answer.wait
            raise answer.error()

    def _apply(self, sent: str, grant: Optional[Dict[str, Any]], code: Optional[str]) -> None:
        ended = False

        def apply(record: Record) -> None:
            nonlocal ended
            session = record["session"]
            # An answer counts only for the token that it was asked with; a late one changes nothing.
            if session is None or session["refresh_token"] != sent:
                return
            ended = grant is None
            # Token and verifier change in one write: one without the other would look like theft.
            record["session"] = {**session, **grant} if grant else None

        self._store.update(apply)
        if ended:
            self._on_signed_out(code or "invalid_token")

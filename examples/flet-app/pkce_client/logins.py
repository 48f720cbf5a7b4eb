"""Logins under way: durable before the browser opens, taken once, and finished after a crash."""

from __future__ import annotations

from typing import Any, Dict, List, Optional

from .ages import Ages
from .callback import Callback, Expected, parse_callback
from .errors import PkceError
from .line import credentials_of, read_grant
from .store import FileStore, Record
from .wire import Answer, Wire

LIFETIME = 600.0
"""Seconds in which a login comes to its end."""
_MOST = 5
_USED_KEPT = 10

Login = Dict[str, Any]
"""``path`` and ``request`` are sent as they are stored, so that every repeat, also after a crash, is the same."""


def close_login(record: Record, state: str) -> None:
    """Takes a login out of the record; a later copy of its callback is then ``callback_used``."""
    record["logins"] = [login for login in record["logins"] if login["state"] != state]
    record["used"] = [*record["used"], state][-_USED_KEPT:]


def _grant_name(login: Login) -> str:
    return "handoff" if login["path"] == "/redeem" else "code"


def check(url: str, login: Login) -> Callback:
    """The callback of this login, or the PkceError that it is."""
    expected = Expected(
        login["redirect_uri"], login["state"], login["issuer"], login["iss_required"], _grant_name(login)
    )
    return parse_callback(url, expected)


def is_for(url: str, login: Login) -> bool:
    """Whether a URL is an answer to this login, good or bad. What is not cannot end it."""
    try:
        check(url, login)
    except PkceError as error:
        return not error.ignorable
    return True


class Logins:
    """The logins of the record, and what becomes of them."""

    def __init__(self, wire: Wire, store: FileStore, ages: Ages) -> None:
        self._wire = wire
        self._store = store
        self._ages = ages

    def add(self, login: Login) -> None:
        """Durable when this returns, which is before the browser opens."""
        login.update(created_at=self._wire.clock.wall(), redeemed_at=None)

        def change(record: Record) -> None:
            record["logins"] = [*filter(self._lives, record["logins"]), login][-_MOST:]

        self._store.update(change)

    def drop(self, state: str) -> None:
        self._store.update(lambda record: close_login(record, state))

    def waiting(self, path: str) -> List[Login]:
        """Those of one kind that are not over, oldest first."""
        return [login for login in self._store.read()["logins"] if login["path"] == path and self._lives(login)]

    def unfinished(self) -> Optional[Login]:
        """The newest login whose code was taken and whose outcome is not known."""
        taken = [login for login in self._store.read()["logins"] if login["redeemed_at"] and self._lives(login)]
        return taken[-1] if taken else None

    def take(self, url: str) -> Login:
        """The login that a callback ends, with its code. Raises why there is none."""
        outcome: List[Login] = []
        failure: List[PkceError] = []

        def change(record: Record) -> None:
            outcome.clear()
            failure.clear()
            login = next((one for one in record["logins"] if one["path"] != "/poll" and is_for(url, one)), None)
            if login is None:
                failure.append(_unmatched(record, url))
                return
            name = _grant_name(login)
            taken = login["request"].get(name)
            try:
                if not self._lives(login):
                    raise PkceError("flow_expired")
                found = check(url, login)
                # One atomic change makes one taker. A copy of the same callback joins it; another code comes too late.
                if taken not in (None, found.grant):
                    raise PkceError("callback_used", ignorable=True)
            except PkceError as error:
                failure.append(error)
                if taken is None:
                    close_login(record, login["state"])
                return
            if taken is None:
                login["request"][name] = found.grant
                if found.iss is not None and name == "code":
                    login["request"]["iss"] = found.iss
                login["redeemed_at"] = self._wire.clock.wall()
            outcome.append(login)

        self._store.update(change)
        if failure:
            raise failure[0]
        return outcome[0]

    def redeem(self, login: Login) -> Dict[str, Any]:
        """The session of a taken login. An unknown outcome raises, and leaves the login to the next start."""
        asked_at = self._wire.clock.wall()
        answer = self._wire.repeat(
            "POST",
            login["path"],
            login["request"],
            lambda a: read_grant(a, login["verifier"], asked_at) is not None or a.is_final,
        )
        return self.conclude(login, answer, asked_at)

    def conclude(self, login: Login, answer: Answer, asked_at: float) -> Dict[str, Any]:
        """What an answer makes of a login: a session, stored, or an error."""
        grant = read_grant(answer, login["verifier"], asked_at)
        if grant is None:
            if answer.is_final:
                self.drop(login["state"])
            raise answer.error()
        granted = grant
        before: List[Dict[str, Any]] = []

        def change(record: Record) -> None:
            before[:] = [record["session"]] if record["session"] else []
            # Another process was faster, or the user has logged out since.
            if all(one["state"] != login["state"] for one in record["logins"]):
                return
            close_login(record, login["state"])
            # A grant that comes late never replaces what the line has made of its session since.
            if record["session"] is None or record["session"]["id"] != granted["id"]:
                since = login["redeemed_at"] or asked_at
                record["session"] = {**granted, "provider": login["provider"], "stepped_at": since}

        session: Optional[Dict[str, Any]] = self._store.update(change)["session"]
        if session is None or session["id"] != grant["id"]:
            self.abandon(grant)
            raise PkceError("callback_used")
        # The session that was here before ends, now that the new one is durable.
        if before and before[0]["id"] != session["id"]:
            self.abandon(before[0])
        return session

    def abandon(self, session: Dict[str, Any]) -> None:
        """Ends a session at the backend if it can be reached."""
        self._wire.send("POST", "/logout", credentials_of(session))

    def _lives(self, login: Login) -> bool:
        return self._ages.age(login["redeemed_at"] or login["created_at"]) <= LIFETIME


def _unmatched(record: Record, url: str) -> PkceError:
    if any(f"state={state}" in url for state in record["used"]):
        return PkceError("callback_used", ignorable=True)
    waiting = [login for login in record["logins"] if login["path"] != "/poll"]
    if waiting:
        try:
            check(url, waiting[-1])
        except PkceError as error:
            return error
    return PkceError("callback_unexpected", ignorable=True)

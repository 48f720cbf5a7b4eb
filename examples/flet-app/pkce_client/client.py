"""The face: one object per app."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, Optional, Union
from urllib.parse import urlsplit

from . import app_flow, hosted
from .ages import Ages
from .api import Api
from .callback import looks_like_callback
from .errors import PkceError
from .hosted import PollLogin
from .line import Line
from .logins import LIFETIME, Login, Logins, is_for
from .loopback import Loopback
from .pkce import is_secure
from .store import FileStore
from .wire import Clock, Reply, Wire, fetch


@dataclass(frozen=True)
class Session:
    """Who is logged in. ``user`` is what the provider said at login."""

    id: str
    provider: str
    user: Dict[str, Any] = field(default_factory=dict)


def _public(session: Dict[str, Any]) -> Session:
    return Session(session["id"], session["provider"], session.get("user", {}))


class PkceClient:
    """Login against the backend whose mount is ``server``; what must be remembered is in the file ``path``.

    Calls block, for some 15 s at most where nothing else is said, may come from any thread, and raise ``PkceError``.

    >>> auth = PkceClient("https://api.example.com/auth", "session.json", device={"name": "Desktop"})
    >>> session = auth.restore()
    """

    def __init__(
        self,
        server: str,
        path: Union[str, Path],
        *,
        device: Optional[Mapping[str, str]] = None,
        on_signed_out: Callable[[str], None] = lambda reason: None,
        clock: Optional[Clock] = None,
        transport: Callable[..., Reply] = fetch,
    ) -> None:
        base = server.rstrip("/")
        if not is_secure(base) or urlsplit(base).query:
            raise PkceError("insecure_endpoint")
        self._clock = clock or Clock()
        self._device = dict(device or {})
        self._wire = Wire(base, self._clock, transport)
        self._store = FileStore(path)
        ages = Ages(self._clock)
        self._line = Line(self._wire, self._store, ages, on_signed_out)
        self._logins = Logins(self._wire, self._store, ages)
        self._api = Api(self._wire, self._store, self._line, transport)

    @property
    def session(self) -> Optional[Session]:
        session = self._store.read()["session"]
        return _public(session) if session else None

    def restore(self) -> Optional[Session]:
        """First thing at start: the session, after finishing a login that a crash interrupted."""
        login = self._logins.unfinished()
        if login:
            try:
                self._logins.redeem(login)
            except PkceError:
                # Refused: then it is no longer there. Not known: then the next start asks again.
                pass
        return self.session

    def begin(self, redirect_uri: str, *, provider: Optional[str] = None, **params: str) -> str:
        """Begins a login and gives the URL to open; what comes back goes to ``handle_callback``.

        ``params`` go to the provider, such as ``prompt`` or ``login_hint``.
        """
        return str(self._begin(redirect_uri, provider, False, params)["url"])

    def begin_hosted(self, redirect_uri: str, *, provider: Optional[str] = None, **options: str) -> str:
        """The same through the backend's own page: the provider needs to know no redirect URI of the app.

        ``options``: ``login_hint``, ``ui_locales``.
        """
        return str(self._begin(redirect_uri, provider, True, options)["url"])

    def handle_callback(self, url: str) -> Session:
        """Finishes a login by the URL that came back, or by the route that Flet makes of it.

        An error that is ``ignorable`` says that this was no answer to a login of this app, and that nothing changed.
        """
        return _public(self._logins.redeem(self._logins.take(url)))

    @staticmethod
    def looks_like_callback(url: str, redirect_uri: str) -> bool:
        """Whether a URL or route is an answer at this address, true or forged."""
        return looks_like_callback(url, redirect_uri)

    def login_by_loopback(
        self,
        open_browser: Callable[[str], Any],
        *,
        hosted: bool = False,
        provider: Optional[str] = None,
        time_limit: float = LIFETIME,
    ) -> Session:
        """A whole login on a desktop: the way back is a port of this machine (RFC 8252 section 7.3)."""
        loopback = Loopback()
        try:
            login = self._begin(loopback.redirect_uri, provider, hosted, {})
            loopback.expect(lambda url: is_for(url, login))
            open_browser(login["url"])
            arrived = loopback.wait(time_limit)
        finally:
            loopback.close()
        if arrived is None:
            raise PkceError("flow_expired")
        return self.handle_callback(arrived)

    def begin_poll(self, *, provider: Optional[str] = None, **options: str) -> PollLogin:
        """Begins a login by poll: nothing has to come back. Show its code, open its URL, ``wait_for_poll``."""
        return hosted.poll_login_of(self._start("poll", provider, None, options))

    def pending_poll(self) -> Optional[PollLogin]:
        """The login that a crash, or a system that was short of memory, interrupted: show it, and wait again."""
        waiting = self._logins.waiting("/poll")
        return hosted.poll_login_of(waiting[-1]) if waiting else None

    def wait_for_poll(self, poll: PollLogin, cancelled: Optional[threading.Event] = None) -> Optional[Session]:
        """The session when the user is done; None when ``cancelled``. Raises ``login_failed``, ``login_expired``."""
        while cancelled is None or not cancelled.is_set():
            login = next((one for one in self._logins.waiting("/poll") if one["state"] == poll.state), None)
            if login is None:
                self._logins.drop(poll.state)
                raise PkceError("login_expired")
            asked_at = self._clock.wall()
            # An answer that got lost is no matter: the identical request has the identical grant.
            answer = self._wire.send("POST", "/poll", login["request"])
            if answer.status != 202 and not answer.retryable:
                return _public(self._logins.conclude(login, answer, asked_at))
            self._clock.sleep(max(poll.interval, answer.wait))
        self._logins.drop(poll.state)
        return None

    def session_token(self, min_ttl: Optional[float] = None) -> Optional[str]:
        """The bearer for the API (RFC 6750), renewed when due; None where nobody is logged in. Seconds."""
        return self._line.token(min_ttl)

    def refresh(self) -> Optional[str]:
        """A newer session token; one new step in ten seconds at most."""
        return self._line.advance(self._line.present())

    def fetch(
        self,
        method: str,
        url: str,
        body: Optional[bytes] = None,
        headers: Optional[Mapping[str, str]] = None,
    ) -> Reply:
        """A call of the API with the session token; after a 401 once more with a newer one. Raises OSError too.

        ``url`` is a path, or a URL of the backend's origin. Nobody else gets the token.
        """
        return self._api.fetch(method, url, body, headers or {})

    def sessions(self) -> List[Dict[str, Any]]:
        """The user's sessions on all devices, newest first."""
        return self._api.sessions()

    def revoke(self, session_id: str) -> None:
        """Ends one session of this user."""
        self._api.revoke(session_id)

    def logout(self, *, everywhere: bool = False) -> Optional[str]:
        """Out here first, whatever the network does; then there. The URL that ends the provider's session too."""
        return self._api.logout(everywhere)

    def _begin(self, redirect_uri: str, provider: Optional[str], is_hosted: bool, params: Mapping[str, str]) -> Login:
        if is_hosted:
            return self._start("redirect", provider, redirect_uri, params)
        login = app_flow.start(
            self._wire, provider=provider, redirect_uri=redirect_uri, device=self._device, params=params
        )
        self._logins.add(login)
        return login

    def _start(
        self, delivery: str, provider: Optional[str], redirect_uri: Optional[str], options: Mapping[str, str]
    ) -> Login:
        login = hosted.start(
            self._wire,
            delivery=delivery,
            provider=provider,
            redirect_uri=redirect_uri,
            device=self._device,
            options=options,
        )
        self._logins.add(login)
        return login

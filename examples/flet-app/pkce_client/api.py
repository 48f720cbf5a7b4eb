"""What an app does with its session: calls, devices, logout."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple
from urllib.parse import quote, urljoin, urlsplit

from .errors import PkceError
from .line import Line, credentials_of
from .pkce import is_secure
from .store import FileStore, Record
from .wire import Reply, Wire


def _origin(url: str) -> Tuple[str, str, Optional[int]]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port


class Api:
    """Calls with the session token (RFC 6750)."""

    def __init__(self, wire: Wire, store: FileStore, line: Line, transport: Callable[..., Reply]) -> None:
        self._wire = wire
        self._store = store
        self._line = line
        self._transport = transport

    def fetch(self, method: str, url: str, body: Optional[bytes], headers: Mapping[str, str]) -> Reply:
        base = urlsplit(self._wire.base)
        # A path is put behind our origin as text, so that "//host" stays a path.
        target = f"{base.scheme}://{base.netloc}{url}" if url.startswith("/") else url
        if not is_secure(target) or _origin(target) != _origin(self._wire.base):
            raise PkceError("origin_not_allowed")

        def send(token: Optional[str]) -> Reply:
            bearer = {} if token is None else {"Authorization": f"Bearer {token}"}
            return self._transport(method, target, {**headers, **bearer}, body)

        token = self._line.token()
        reply = send(token)
        if reply[0] != 401 or token is None:
            return reply
        # The API's 401 ends nothing: it only asks for a newer token.
        newer = self._line.advance(token)
        return reply if newer in (None, token) else send(newer)

    def sessions(self) -> List[Dict[str, Any]]:
        found: List[Dict[str, Any]] = self._call("GET", "/sessions").get("sessions", [])
        return found

    def revoke(self, session_id: str) -> None:
        self._call("DELETE", f"/sessions/{quote(session_id, safe='')}")

    def logout(self, everywhere: bool) -> Optional[str]:
        bearer = self._line.present()
        if everywhere:
            try:
                bearer = self._line.token()
            except PkceError:
                # The user is out here all the same.
                bearer = None
        found: List[Dict[str, Any]] = []

        def forget(record: Record) -> None:
            found[:] = [record["session"]] if record["session"] else []
            # A login under way must not sign in again.
            record.update(session=None, logins=[], used=[])

        self._store.update(forget)
        if not found:
            return None
        if everywhere and bearer:
            self._wire.send("DELETE", "/sessions", bearer=bearer)
        proof = credentials_of(found[0])
        answer = self._wire.send("POST", "/logout", {} if bearer else proof, bearer)
        if not answer.ok:
            # A token that has just ended, or a network that has just come back.
            answer = self._wire.send("POST", "/logout", proof)
        url = answer.body.get("logout_url")
        return urljoin(f"{self._wire.base}/logout", url) if isinstance(url, str) else None

    def _call(self, method: str, path: str) -> Dict[str, Any]:
        token = self._line.token()
        answer = self._wire.send(method, path, bearer=token)
        if answer.status == 401 and token is not None:
            answer = self._wire.send(method, path, bearer=self._line.advance(token))
        if not answer.ok:
            raise answer.error()
        return answer.body

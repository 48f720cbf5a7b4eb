"""The URL that the browser comes back with, checked (RFC 6749 section 4.1.2, RFC 9207, RFC 9700 section 4). Pure."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import Dict, List, Optional
from urllib.parse import parse_qsl, urlsplit

from .errors import PkceError

_LONGEST = 16_384
# Tokens do not belong into a callback of the code flow, nor a whole answer that nobody verified.
_FORBIDDEN = ("access_token", "id_token", "refresh_token", "response")


@dataclass(frozen=True)
class Expected:
    """What the app knows of the login that it waits for. ``grant_name``: ``code``, or ``handoff`` of a hosted login."""

    redirect_uri: str
    state: str
    issuer: str
    iss_required: bool
    grant_name: str = "code"


@dataclass(frozen=True)
class Callback:
    """What a good callback holds."""

    grant: str
    iss: Optional[str]


def _base(url: str) -> str:
    parts = urlsplit(url)
    web = parts.scheme in ("http", "https")
    # Systems hand on `app://callback` as `app:///callback` and `app:/callback`, and scheme and host in any case.
    return f"{parts.scheme}:{'//' if web else ''}{parts.netloc.lower()}{parts.path or ('/' if web else '')}"


def _route(redirect_uri: str) -> str:
    """What Flet makes of a link: it drops scheme and host, and an empty path is the root."""
    return urlsplit(redirect_uri).path or "/"


def _is_at(url: str, redirect_uri: str) -> bool:
    if url.startswith("/"):
        # Only a deep link is handed on as a route; two slashes would be another host.
        web = redirect_uri.startswith(("http:", "https:"))
        return not web and not url.startswith("//") and urlsplit(url).path == _route(redirect_uri)
    return _base(url) == _base(redirect_uri)


def _params(url: str) -> Dict[str, List[str]]:
    parts = urlsplit(url)
    values: Dict[str, List[str]] = {}
    # Query and fragment are read alike, so that nothing hides in one of them.
    for text in (parts.query, parts.fragment):
        for name, value in parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=100):
            values.setdefault(name, []).append(value)
    return values


def _first(params: Dict[str, List[str]], name: str) -> Optional[str]:
    return params[name][0] if name in params else None


def _same(left: str, right: str) -> bool:
    return hmac.compare_digest(left.encode(), right.encode())


def parse_callback(url: str, expected: Expected) -> Callback:
    """The code or handoff of a callback, given as a URL or as the route that Flet makes of one.

    Raises ``PkceError``: ``callback_invalid`` (another address, doubled parameters, tokens, no code),
    ``state_mismatch``, ``issuer_mismatch``, ``access_denied``, ``authorization_error``. What anybody could have sent is ``ignorable``.
    """
    try:
        if len(url) > _LONGEST or not _is_at(url, expected.redirect_uri):
            raise ValueError
        params = _params(url)
        given = params.get("state", [])
        if len(given) > 1:
            raise ValueError
        # Nothing sent is not equal to nothing stored.
        known = bool(given and given[0]) and _same(given[0], expected.state)
    except ValueError as error:
        raise PkceError("callback_invalid", ignorable=True) from error
    if not known:
        # CSRF (RFC 9700 section 4.7): until here the URL may be anybody's, an error included.
        raise PkceError("state_mismatch", ignorable=True)

    single = ("code", "handoff", "iss", "error")
    if any(len(params.get(name, [])) > 1 for name in single) or any(name in params for name in _FORBIDDEN):
        raise PkceError("callback_invalid")
    # Mix-up (RFC 9207 section 2.4): an answer of another provider says nothing about this login.
    iss = _first(params, "iss")
    if expected.iss_required if iss is None else not _same(iss, expected.issuer):
        raise PkceError("issuer_mismatch")
    error_code = _first(params, "error")
    if error_code is not None:
        raise PkceError("access_denied" if error_code == "access_denied" else "authorization_error")
    grant = _first(params, expected.grant_name)
    if not grant:
        raise PkceError("callback_invalid")
    return Callback(grant, iss)


def looks_like_callback(url: str, redirect_uri: str) -> bool:
    """Whether a URL or route is an answer for this address, true or forged. Others are the app's own business."""
    try:
        if len(url) > _LONGEST or not _is_at(url, redirect_uri):
            return False
        params = _params(url)
    except ValueError:
        return False
    return "state" in params and any(name in params for name in ("code", "handoff", "error", *_FORBIDDEN))

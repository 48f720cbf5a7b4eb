"""Hosted login: the backend opens the provider's page itself, and the app polls or gets a handoff by a link."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Dict, Mapping, Optional

from .errors import PkceError
from .logins import Login
from .pkce import challenge_of, is_secure, random_text, short_code
from .wire import Wire


@dataclass(frozen=True)
class PollLogin:
    """A login by poll: show ``code``, open ``url`` in a browser on any device, then wait.

    The page shows the same code, so that nobody is talked into finishing a login that somebody else began.
    """

    state: str
    url: str
    code: str
    interval: float


def start(
    wire: Wire,
    *,
    delivery: str,
    provider: Optional[str],
    redirect_uri: Optional[str],
    device: Mapping[str, str],
    options: Mapping[str, str],
) -> Login:
    """Begins a login at the backend. ``options``: ``login_hint``, ``ui_locales``."""
    verifier, step, state = random_text(), random_text(), random_text()
    wish: Dict[str, Any] = {
        "delivery": delivery,
        "state": state,
        "code_challenge": challenge_of(verifier),
        "device": dict(device),
        **options,
    }
    if provider is not None:
        wish["provider"] = provider
    if redirect_uri is not None:
        wish["redirect_uri"] = redirect_uri
    answer = wire.repeat("POST", "/start", wish, lambda a: a.ok or a.is_final)
    if not answer.ok:
        raise answer.error()
    login_id, url = answer.body.get("login_id"), answer.body.get("authorize_url")
    if not isinstance(login_id, str) or not re.fullmatch(r"[\w-]{22}", login_id, re.ASCII):
        raise PkceError("internal")
    tail = f"/login/{login_id}"
    # What is opened in the browser is a page of the backend's, and never another scheme.
    if not isinstance(url, str) or not url.endswith(tail) or not is_secure(url):
        raise PkceError("insecure_endpoint")
    return {
        "state": state,
        "path": "/poll" if delivery == "poll" else "/redeem",
        "request": {"login_id": login_id, "code_verifier": verifier, "session_challenge": challenge_of(step)},
        "verifier": step,
        "provider": provider or "",
        "redirect_uri": redirect_uri or "",
        # The mount is the `iss` of what comes back (RFC 9207).
        "issuer": url[: -len(tail)],
        "iss_required": True,
        "url": url,
        "interval": float(answer.body.get("poll_interval") or 2),
    }


def poll_login_of(login: Login) -> PollLogin:
    """What the app shows of a login by poll."""
    request = login["request"]
    code = short_code(request["login_id"], challenge_of(request["code_verifier"]))
    return PollLogin(login["state"], login["url"], code, login["interval"])

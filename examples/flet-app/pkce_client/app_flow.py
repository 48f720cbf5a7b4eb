"""The app's own login: the browser at the provider, and the code by the app's redirect URI."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Optional

from .errors import PkceError
from .logins import Login
from .pkce import authorization_url, challenge_of, random_text
from .wire import Wire


def start(
    wire: Wire,
    *,
    provider: Optional[str],
    redirect_uri: str,
    device: Mapping[str, str],
    params: Mapping[str, str],
) -> Login:
    """Draws a login and makes its authorization URL. ``params``: such as ``prompt`` or ``login_hint``."""
    entry = _choose(wire, provider)
    fixed: Dict[str, str] = entry.get("authorization_params", {})
    # What the backend sets by policy is not the app's to change.
    if any(name in fixed for name in params):
        raise PkceError("reserved_parameter")
    verifier, step, state, nonce = (random_text() for _ in range(4))
    url = authorization_url(
        entry["authorization_endpoint"],
        client_id=entry["client_id"],
        redirect_uri=redirect_uri,
        scope=entry["scope"],
        state=state,
        nonce=nonce,
        code_challenge=challenge_of(verifier),
        params={**params, **fixed},
    )
    return {
        "state": state,
        "path": "/exchange",
        "request": {
            "provider": entry["id"],
            "code_verifier": verifier,
            "redirect_uri": redirect_uri,
            "nonce": nonce,
            "session_challenge": challenge_of(step),
            "device": dict(device),
        },
        "verifier": step,
        "provider": entry["id"],
        "redirect_uri": redirect_uri,
        "issuer": entry["issuer"],
        "iss_required": entry["iss_in_callback"],
        "url": url,
    }


def _choose(wire: Wire, provider: Optional[str]) -> Dict[str, Any]:
    answer = wire.repeat("GET", "/config", None, lambda a: a.ok or a.is_final)
    if not answer.ok:
        raise answer.error()
    entries: List[Dict[str, Any]] = answer.body.get("providers", [])
    named = [entry for entry in entries if provider in (None, entry["id"])]
    if len(named) != 1:
        raise PkceError("invalid_request")
    (entry,) = named
    # Mix-up: where nothing in the callback tells whose answer it is, answers could be swapped (RFC 9700 section 4.4).
    if any(one["issuer"] != entry["issuer"] for one in entries) and not entry["iss_in_callback"]:
        raise PkceError("redirect_uri_not_allowed")
    return entry

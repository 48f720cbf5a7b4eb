"""PKCE (RFC 7636), the authorization request (RFC 6749 section 4.1.1) and the code of a login by poll. Pure."""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from typing import Mapping, Optional
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from .errors import PkceError

_RESERVED = re.compile(
    r"client_.*|redirect_uri|response_(type|mode)|scope|state|nonce|code_challenge.*|code_verifier|request.*"
)
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def base64url(data: bytes) -> str:
    """Base64url without padding (RFC 7636 appendix A)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def random_text() -> str:
    """32 bytes of the system's generator: a verifier (RFC 7636 section 4.1), a ``state`` or a ``nonce``."""
    return base64url(secrets.token_bytes(32))


def challenge_of(verifier: str) -> str:
    """The S256 transformation (RFC 7636 section 4.2)."""
    return base64url(hashlib.sha256(verifier.encode("ascii")).digest())


def short_code(login_id: str, code_challenge: str) -> str:
    """The code that app and page both show in a login by poll, such as ``7KQ2-M0XD``."""
    digest = hashlib.sha256(f"pkce-code.{login_id}.{code_challenge}".encode("ascii")).digest()
    number = int.from_bytes(digest[:5], "big")
    text = "".join(_CROCKFORD[number >> shift & 31] for shift in range(35, -1, -5))
    return f"{text[:4]}-{text[4:]}"


def is_secure(url: str) -> bool:
    """Whether nobody on the way can read along: https, or http that does not leave the machine."""
    if re.search(r"[\s\\]", url):
        return False
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    if not host or "@" in parts.netloc:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and host in _LOOPBACK)


def authorization_url(
    endpoint: str,
    *,
    client_id: str,
    redirect_uri: str,
    scope: str,
    state: str,
    nonce: str,
    code_challenge: str,
    params: Optional[Mapping[str, str]] = None,
) -> str:
    """The URL of an authorization request (RFC 6749 section 4.1.1, RFC 7636 section 4.3).

    ``params`` are further parameters, such as ``prompt``. One that the protocol sets itself is ``reserved_parameter``.
    """
    extra = dict(params or {})
    parts = urlsplit(endpoint)
    own = [name for name, _ in parse_qsl(parts.query, keep_blank_values=True)]
    if not is_secure(endpoint) or parts.fragment:
        raise PkceError("insecure_endpoint")
    # One name twice, or a name of the protocol, would let whoever chose it speak for the app.
    if any(_RESERVED.fullmatch(name) for name in [*own, *extra]) or len({*own, *extra}) < len(own) + len(extra):
        raise PkceError("reserved_parameter")
    query = urlencode(
        {
            **extra,
            "client_id": client_id,
            "redirect_uri": redirect_uri,
            "response_type": "code",
            "scope": scope,
            "state": state,
            "nonce": nonce,
            "code_challenge": code_challenge,
            "code_challenge_method": "S256",
        },
        quote_via=quote,
        safe="",
    )
    return f"{endpoint}{'&' if parts.query else '' if endpoint.endswith('?') else '?'}{query}"

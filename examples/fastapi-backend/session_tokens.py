"""Verifies session tokens of ``@pkce/server`` by its published keys (RFC 7515, RFC 7517, RFC 7519, RFC 9068)."""

from __future__ import annotations

import json
import threading
import time
from typing import Any, Callable, Dict, Optional
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, build_opener

import jwt

ALGORITHM = "EdDSA"
_TIMEOUT = 3.0
_LARGEST = 65_536
# Seconds: how long keys are used without a look at newer ones, and how long while nobody can tell us newer ones.
_LIFESPAN = 300
_STALE = 3600.0
# Fetches at once, and seconds until one more is allowed: a stranger's made-up key ids must not call the backend for us.
_BURST = 3
_REFILL = 30.0
_FIRST_REFILL = 2.0
_LEEWAY = 5.0
_CLAIMS = ["iss", "aud", "sub", "sid", "iat", "exp"]


class KeysUnavailable(Exception):
    """Nobody could tell us the keys. That is our outage, and says nothing about a token."""


class _NoRedirects(HTTPRedirectHandler):
    """Whoever a redirect names, over plain http too, could say which keys are ours."""

    def redirect_request(self, *_: Any) -> None:
        return None


_opener = build_opener(_NoRedirects)


class PublishedKeys(jwt.PyJWKClient):
    """The keys of ``/jwks.json``, cached; the fetches for unknown key ids are bounded.

    PyJWT asks again for every key id that it does not know, without limit, and up to version 2.7 without a timeout.
    """

    def __init__(self, url: str, now: Callable[[], float] = time.monotonic) -> None:
        super().__init__(url, lifespan=_LIFESPAN)
        self._now = now
        self._one = threading.Lock()
        self._keys: Optional[Dict[str, Any]] = None
        self._fetched_at = 0.0
        self._left = float(_BURST)
        self._counted_at = now()
        self.failing = False

    def fetch_data(self) -> Any:
        """Called by PyJWT where its cache has ended or a key id is unknown."""
        # One at a time: who waited here may find what it looked for, and spends nothing.
        with self._one:
            now = self._now()
            refill = _REFILL if self._keys else _FIRST_REFILL
            self._left = min(float(_BURST), self._left + (now - self._counted_at) / refill)
            self._counted_at = now
            if self._left >= 1:
                self._left -= 1
                self._download(now)
            if self._keys is None or now - self._fetched_at > _STALE:
                raise KeysUnavailable
            return self._keys

    def _download(self, now: float) -> None:
        """Keys that are known stay good for a while if this fails: an outage of the backend logs nobody out."""
        try:
            with _opener.open(self.uri, timeout=_TIMEOUT) as answer:
                keys = json.loads(answer.read(_LARGEST))
            if not isinstance(keys, dict) or not keys.get("keys"):
                raise ValueError("no keys")
        except (OSError, ValueError):
            self.failing = True
        else:
            self._keys, self._fetched_at, self.failing = keys, now, False
        # Tokens of known keys wait for no second attempt.
        self.jwk_set_cache.put(self._keys)  # type: ignore[union-attr, arg-type]


class SessionTokens:
    """Checks tokens of one issuer for one audience.

    >>> tokens = SessionTokens("https://api.example.com/auth")
    >>> claims = tokens.verify("eyJ...")
    """

    def __init__(self, issuer: str, audience: Optional[str] = None, keys: Optional[PublishedKeys] = None) -> None:
        parts = urlsplit(issuer)
        # Who can change the keys on the way can be anybody.
        is_local = parts.scheme == "http" and parts.hostname in ("127.0.0.1", "::1", "localhost")
        if parts.scheme != "https" and not is_local:
            raise ValueError("the issuer must be https")
        self._issuer = issuer
        self._audience = audience or issuer
        self._keys = keys or PublishedKeys(f"{issuer}/jwks.json")

    def verify(self, token: str) -> Dict[str, Any]:
        """The claims of a good token. Raises ``jwt.PyJWTError``, or ``KeysUnavailable`` where nobody knows."""
        header = jwt.get_unverified_header(token)
        # RFC 9068 section 4 and RFC 8725 section 3.11: an ID token, signed by the same hand, is no session token.
        if header.get("typ") != "at+jwt":
            raise jwt.InvalidTokenError("another kind of token")
        key_id = header.get("kid")
        # RFC 8725 section 3.1: one algorithm, before any key is asked for.
        if header.get("alg") != ALGORITHM or not isinstance(key_id, str):
            raise jwt.InvalidTokenError("another algorithm, or no key id")
        try:
            key = self._keys.get_signing_key(key_id).key
        except jwt.PyJWKClientError as error:
            if self._keys.failing:
                raise KeysUnavailable from error
            raise
        except jwt.PyJWKSetError as error:
            raise KeysUnavailable from error
        claims: Dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=[ALGORITHM],
            issuer=self._issuer,
            audience=self._audience,
            leeway=_LEEWAY,
            options={"require": _CLAIMS},
        )
        if not all(isinstance(claims[name], str) for name in ("sub", "sid")):
            raise jwt.InvalidTokenError("no text")
        return claims

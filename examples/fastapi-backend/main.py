"""A FastAPI service whose users are those of ``@pkce/server``.

PKCE_URL: the public URL of the mount, which is the ``iss`` of its tokens. PKCE_SESSION_AUDIENCE: their ``aud``, where it
is another. Both are the backend's own variables of these names.
"""

from __future__ import annotations

import os
from typing import Any, Dict, Optional

import jwt
from fastapi import Depends, FastAPI, Request
from fastapi.responses import JSONResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from session_tokens import KeysUnavailable, SessionTokens

tokens = SessionTokens(os.environ["PKCE_URL"], os.environ.get("PKCE_SESSION_AUDIENCE"))
# Without auto_error: FastAPI's own answer to a missing token is 403 in many versions.
bearer = HTTPBearer(auto_error=False)
app = FastAPI(title="pkce")


class Refused(Exception):
    """An answer in the error shape of the wire."""

    def __init__(self, status: int, code: str, **headers: str) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.headers = headers


@app.exception_handler(Refused)
async def refuse(_: Request, refused: Refused) -> JSONResponse:
    body = {"error": refused.code, "retryable": refused.status >= 500}
    headers = {name.replace("_", "-"): value for name, value in refused.headers.items()}
    return JSONResponse(body, refused.status, {"Cache-Control": "no-store", **headers})


def current_user(credentials: Optional[HTTPAuthorizationCredentials] = Depends(bearer)) -> Dict[str, Any]:
    """The claims of the caller's session token. Not ``async``: looking for keys may block, in a thread of its own."""
    if credentials is None:
        # RFC 6750 section 3.1: who brought nothing is told no more than what is asked for.
        raise Refused(401, "invalid_token", WWW_Authenticate="Bearer")
    try:
        return tokens.verify(credentials.credentials)
    except KeysUnavailable:
        raise Refused(503, "unavailable", Retry_After="5") from None
    except (jwt.PyJWTError, ValueError, RecursionError):
        raise Refused(401, "invalid_token", WWW_Authenticate='Bearer error="invalid_token"') from None


@app.get("/me")
def me(user: Dict[str, Any] = Depends(current_user)) -> Dict[str, Any]:
    return {"user": {"sub": user["sub"]}}

"""Runs the client for the tests: one command as JSON per line comes in, one answer per line goes out.

Its clock can be moved on; what the client wants opened in a browser is a line of its own.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any, Dict, Optional

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from pkce_client import PkceClient, PkceError, PollLogin, Session  # noqa: E402
from pkce_client.wire import Clock  # noqa: E402


class MovedClock(Clock):
    ahead = 0.0

    def wall(self) -> float:
        return time.time() + self.ahead

    def monotonic(self) -> float:
        return time.monotonic() + self.ahead


def say(**line: Any) -> None:
    print(json.dumps(line), flush=True)


def session_of(session: Optional[Session]) -> Optional[Dict[str, Any]]:
    return session and {"id": session.id, "provider": session.provider, "user": session.user}


def poll_of(poll: Optional[PollLogin]) -> Optional[Dict[str, Any]]:
    return poll and {"state": poll.state, "url": poll.url, "code": poll.code, "interval": poll.interval}


def fetched(auth: PkceClient, path: str) -> Dict[str, Any]:
    status, _, body = auth.fetch("GET", path)
    return {"status": status, "body": body.decode()}


def main() -> None:
    clock = MovedClock()
    auth = PkceClient(
        sys.argv[1],
        sys.argv[2],
        device={"name": "Python"},
        on_signed_out=lambda reason: say(signed_out=reason),
        clock=clock,
    )
    commands = {
        "advance": lambda seconds: setattr(clock, "ahead", clock.ahead + seconds),
        "session": lambda: session_of(auth.session),
        "restore": lambda: session_of(auth.restore()),
        "begin": lambda uri, **params: auth.begin(uri, **params),
        "begin_hosted": lambda uri: auth.begin_hosted(uri),
        "callback": lambda url: session_of(auth.handle_callback(url)),
        "loopback": lambda hosted=False: session_of(
            auth.login_by_loopback(lambda url: say(open=url), hosted=hosted, time_limit=60)
        ),
        "begin_poll": lambda: poll_of(auth.begin_poll()),
        "pending_poll": lambda: poll_of(auth.pending_poll()),
        "wait_for_poll": lambda poll: session_of(auth.wait_for_poll(PollLogin(**poll))),
        "token": lambda: auth.session_token(),
        "refresh": lambda: auth.refresh(),
        "fetch": lambda path: fetched(auth, path),
        "sessions": lambda: auth.sessions(),
        "revoke": lambda session_id: auth.revoke(session_id),
        "logout": lambda everywhere=False: auth.logout(everywhere=everywhere),
    }
    for line in sys.stdin:
        command = json.loads(line)
        try:
            say(result=commands[command["do"]](*command["args"]))
        except PkceError as error:
            say(error=error.code, retryable=error.retryable, ignorable=error.ignorable)


main()

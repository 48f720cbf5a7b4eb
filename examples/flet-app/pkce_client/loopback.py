"""A listener on the loopback interface for the way back of a desktop app (RFC 8252 section 7.3)."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Callable, Optional

_HOST = "127.0.0.1"
_PATH = "/callback"
_PAGE = (
    b'<!doctype html><html lang="en"><meta charset="utf-8"><title>Done</title>'
    b'<meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark">'
    b"<p>You may close this window and go back to the program.</p></html>"
)


class Loopback:
    """Listens on a free port of 127.0.0.1 until it is closed. ``localhost`` may be another machine (section 8.3)."""

    def __init__(self) -> None:
        self._arrived = threading.Event()
        self._accept: Callable[[str], bool] = lambda _: False
        self._url: Optional[str] = None
        # A thread for each connection: browsers open some in advance and send nothing over them.
        self._server = ThreadingHTTPServer((_HOST, 0), self._handler())
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self._origin = f"http://{_HOST}:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def redirect_uri(self) -> str:
        return self._origin + _PATH

    def expect(self, accept: Callable[[str], bool]) -> None:
        """From now on a URL that ``accept`` takes is the callback."""
        self._accept = accept

    def wait(self, seconds: float) -> Optional[str]:
        """The callback's URL, or None if it has not come in time."""
        self._arrived.wait(seconds)
        return self._url

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _take(self, target: str, host: Optional[str]) -> bool:
        url = self._origin + target
        # The name check keeps pages out that gave their own host name this address.
        ours = host == self._origin[len("http://") :] and target.split("?")[0] == _PATH
        if not ours or self._arrived.is_set() or not self._accept(url):
            return False
        self._url = url
        return True

    def _handler(self) -> Any:
        loopback = self

        class Handler(BaseHTTPRequestHandler):
            timeout = 10

            def do_GET(self) -> None:
                taken = loopback._take(self.path, self.headers.get("Host"))
                self.send_response(200 if taken else 404)
                for name, value in (
                    ("Content-Type", "text/html; charset=utf-8"),
                    ("Content-Length", str(len(_PAGE) if taken else 0)),
                    ("Content-Security-Policy", "default-src 'none'"),
                    ("Cache-Control", "no-store"),
                    ("Referrer-Policy", "no-referrer"),
                    ("X-Content-Type-Options", "nosniff"),
                    ("Connection", "close"),
                ):
                    self.send_header(name, value)
                self.end_headers()
                if taken:
                    self.wfile.write(_PAGE)
                    loopback._arrived.set()

            def log_message(self, *_: Any) -> None:
                """Nothing: the path holds the code."""

        return Handler

"""A start of the app, over and over, with one file and one backend."""

from __future__ import annotations

import json
import tempfile
import unittest
from pathlib import Path
from typing import Any, Dict, List

from fakes import FakeBackend, FakeClock, grant, reply
from pkce_client import PkceClient
from pkce_client.store import FileStore
from pkce_client.wire import Reply

LOGIN_ID = "L" * 22


class Case(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name) / "state" / "session.json"
        self.clock = FakeClock()
        self.backend = FakeBackend()
        self.signed_out: List[str] = []
        self.auth = self.start()

    def start(self) -> PkceClient:
        """A start of the app with what the last one stored."""
        return PkceClient(
            "https://api.example.com/auth",
            self.path,
            on_signed_out=self.signed_out.append,
            clock=self.clock,
            transport=self.backend,
        )

    def stored(self) -> Dict[str, Any]:
        return dict(json.loads(self.path.read_text()))

    def started(self) -> Reply:
        return reply(
            200,
            login_id=LOGIN_ID,
            authorize_url=f"https://api.example.com/auth/login/{LOGIN_ID}",
            expires_in=600,
            poll_interval=2,
        )

    def log_in(self) -> None:
        FileStore(self.path).update(lambda record: record.update(session=None))
        self.backend.script = [self.started(), grant(0, user_info={"sub": "ada"})]
        self.auth.wait_for_poll(self.auth.begin_poll())
        self.backend.sent.clear()
        self.clock.move(3600)

    def refreshes(self) -> List[Any]:
        return [body for path, body in self.backend.sent if path == "/refresh"]

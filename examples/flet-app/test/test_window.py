"""The window, with a Flet that has no screen."""

from __future__ import annotations

import asyncio
import importlib
import os
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).parent / "support" / "fake"))

import flet as ft  # noqa: E402
from fakes import FakeBackend, grant, refusal, reply  # noqa: E402

LOGIN_ID = "L" * 22
MOUNT = "https://api.example.com/auth"
URL = f"{MOUNT}/login/{LOGIN_ID}"
STARTED = reply(200, login_id=LOGIN_ID, authorize_url=URL, expires_in=600, poll_interval=0.01)
LINK = "com.example.app://auth/callback"
ADA = {"sub": "ada", "name": "Ada"}


class Window(unittest.IsolatedAsyncioTestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        ft.opened.clear()
        self.backend = FakeBackend()
        self.environment = {"SERVER": MOUNT, "FLET_APP_STORAGE_DATA": folder.name, "DEEP_LINK": ""}

    async def start(self, route: str = "/") -> ft.Page:
        page = ft.Page(route)
        with mock.patch.dict(os.environ, self.environment):
            sys.modules.pop("main", None)
            window = importlib.import_module("main")
        client = window.PkceClient
        window.PkceClient = lambda *args, **options: client(*args, transport=self.backend, **options)
        await window.main(page)
        return page

    async def test_by_poll_shows_the_code_opens_the_page_and_greets(self) -> None:
        page = await self.start()
        self.assertEqual(page.texts, ["You are not logged in.", "Log in"])
        shown = []

        def pending(_: object) -> object:
            shown.append(page.texts)
            return reply(202, status="pending")

        self.backend.script = [STARTED, pending, grant(0, user_info=ADA)]
        await page.button("Log in")(None)
        self.assertEqual(ft.opened, [URL])
        self.assertRegex(shown[0][1], r"\A[0-9A-Z]{4}-[0-9A-Z]{4}\Z")
        self.assertEqual(page.texts[0], "Hello Ada.")

        self.backend.script = [reply(200, sub="ada")]
        await page.button("Who am I?")(None)
        self.assertIn('{"sub": "ada"}', page.texts)
        self.backend.script = [reply(200)]
        await page.button("Log out")(None)
        self.assertEqual(page.texts, ["You are not logged in.", "Log in"])

    async def test_a_login_by_poll_goes_on_when_the_app_is_started_again(self) -> None:
        page = await self.start()
        self.backend.script = [STARTED, refusal(400, "login_failed")]
        with mock.patch("pkce_client.client.PkceClient.wait_for_poll", side_effect=asyncio.CancelledError):
            with self.assertRaises(asyncio.CancelledError):
                await page.button("Log in")(None)
        self.backend.script = [grant(0, user_info=ADA)]
        again = await self.start()
        self.assertEqual(again.texts[0], "Hello Ada.")

    async def test_cancel_shows_the_first_page_and_leaves_no_login(self) -> None:
        page = await self.start()
        clicks = []

        def cancel(_: object) -> object:
            clicks.append(asyncio.run_coroutine_threadsafe(page.button("Cancel")(None), loop).result())
            return reply(202, status="pending")

        loop = asyncio.get_running_loop()
        self.backend.script = [STARTED, cancel, grant(0, user_info=ADA)]
        await page.button("Log in")(None)
        self.assertEqual(len(clicks), 1)
        self.assertEqual(page.texts, ["You are not logged in.", "Log in"])
        self.assertEqual([path for path, _ in self.backend.sent], ["/start", "/poll"])

    async def test_by_deep_link_while_the_app_runs_and_when_it_was_killed(self) -> None:
        self.environment["DEEP_LINK"] = LINK
        for cold in (False, True):
            page = await self.start()
            self.backend.script = [STARTED]
            await page.button("Log in")(None)
            state = self.backend.sent[-1][1]["state"]
            route = f"/callback?handoff=h&state={state}&iss={MOUNT}"
            self.backend.script = [grant(0, user_info=ADA)]
            if cold:
                page = await self.start(route)
            else:
                await page.on_route_change(ft.RouteChangeEvent(route))
            self.assertEqual(page.texts[0], "Hello Ada.")
            self.assertEqual(page.route, "/")
            self.backend.script = [reply(200)]
            await page.button("Log out")(None)

    async def test_a_forged_link_changes_nothing_and_a_denied_login_says_so(self) -> None:
        self.environment["DEEP_LINK"] = LINK
        page = await self.start()
        self.backend.script = [STARTED]
        await page.button("Log in")(None)
        state = self.backend.sent[-1][1]["state"]
        before = page.texts
        await page.on_route_change(ft.RouteChangeEvent(f"/callback?handoff=h&state={'x' * 43}&iss={MOUNT}"))
        await page.on_route_change(ft.RouteChangeEvent("/settings"))
        self.assertEqual(page.texts, before)
        denied = f"/callback?error=access_denied&state={state}&iss={MOUNT}"
        await page.on_route_change(ft.RouteChangeEvent(denied))
        self.assertEqual(page.texts[0], "The login did not work: access_denied.")

    async def test_says_when_the_session_was_ended_elsewhere(self) -> None:
        page = await self.start()
        self.backend.script = [STARTED, grant(0, user_info=ADA, expires_in=0, session_token=None)]
        await page.button("Log in")(None)
        self.backend.script = [refusal(401, "session_revoked"), refusal(401, "invalid_token")]
        with mock.patch("pkce_client.line.SPACING", -1.0):
            await page.button("Who am I?")(None)
        await asyncio.sleep(0)
        self.assertIn("Log in", page.texts)


if __name__ == "__main__":
    unittest.main()

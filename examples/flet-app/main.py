"""The window: log in, who am I, log out. Flet is imported when it opens, so that tests can put another in its place.

Login by poll needs nothing but the backend's URL: no link has to come back. With a deep link (see pyproject.toml) the
browser returns to the app by itself.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
from pathlib import Path
from typing import Any, Optional

from pkce_client import PkceClient, PkceError, PollLogin

# A packaged app has no environment: write your backend's URL here.
SERVER = os.environ.get("SERVER", "http://127.0.0.1:3000/auth")
# Such as com.example.app://auth/callback. With none the login is by poll.
DEEP_LINK = os.environ.get("DEEP_LINK", "")
STORAGE = Path(os.environ.get("FLET_APP_STORAGE_DATA") or Path.home() / ".pkce-flet-app")


async def main(page: Any) -> None:
    """What the window shows; Flet calls it with its page."""
    import flet as ft

    loop = asyncio.get_running_loop()

    def signed_out(reason: str) -> None:
        # It comes from whatever thread has asked for a token.
        asyncio.run_coroutine_threadsafe(home(f"You were logged out: {reason}."), loop)

    auth = PkceClient(
        SERVER,
        STORAGE / "session.json",
        device={"name": "Flet app", "platform": sys.platform},
        on_signed_out=signed_out,
    )

    def show(*controls: Any) -> None:
        page.clean()
        page.add(*controls)

    async def open_browser(url: str) -> None:
        # The system's browser, never a view inside the app, which could read the password (RFC 8252 section 8.12).
        await ft.UrlLauncher().launch_url(url, mode=ft.LaunchMode.EXTERNAL_APPLICATION)

    async def home(notice: str = "") -> None:
        session = await asyncio.to_thread(lambda: auth.session)
        if session is None:
            show(ft.Text(notice or "You are not logged in."), ft.Button("Log in", on_click=login))
            return
        show(
            ft.Text(f"Hello {session.user.get('name', 'there')}."),
            ft.Text(notice),
            ft.Button("Who am I?", on_click=me),
            ft.Button("Log out", on_click=logout),
        )

    async def login(_: Any = None) -> None:
        try:
            if DEEP_LINK:
                url = await asyncio.to_thread(auth.begin_hosted, DEEP_LINK)
                show(ft.Text("Go on in your browser."), ft.Button("Cancel", on_click=cancel))
                await open_browser(url)
            else:
                poll = await asyncio.to_thread(auth.begin_poll)
                await wait_for(poll)
        except PkceError as error:
            await home(f"The login did not work: {error.code}.")

    async def wait_for(poll: PollLogin) -> None:
        cancelled = threading.Event()

        async def stop(_: Any) -> None:
            cancelled.set()
            await home()

        async def again(_: Any) -> None:
            await open_browser(poll.url)

        show(
            ft.Text("Go on in your browser, if it shows this code:"),
            ft.Text(poll.code),
            ft.Button("Open the page again", on_click=again),
            ft.Button("Cancel", on_click=stop),
        )
        await open_browser(poll.url)
        if await asyncio.to_thread(auth.wait_for_poll, poll, cancelled):
            await home()

    async def cancel(_: Any) -> None:
        await home()

    async def me(_: Any) -> None:
        try:
            status, _headers, body = await asyncio.to_thread(auth.fetch, "GET", "/me")
            await home(json.dumps(json.loads(body)) if status == 200 else f"The API answered {status}.")
        except (PkceError, OSError, ValueError):
            await home("The backend cannot be reached.")

    async def logout(_: Any) -> None:
        await asyncio.to_thread(auth.logout)
        await home()

    async def take(route: Optional[str]) -> bool:
        """Whether a route was the answer to a login. Flet has dropped scheme and host of the link."""
        if not DEEP_LINK or not route or not auth.looks_like_callback(route, DEEP_LINK):
            return False
        # Out of the history before anything else is done: it holds the handoff.
        await page.push_route("/")
        try:
            await asyncio.to_thread(auth.handle_callback, route)
            await home()
        except PkceError as error:
            if error.ignorable:
                return False
            await home(f"The login did not work: {error.code}.")
        return True

    async def on_route_change(event: Any) -> None:
        await take(event.route)

    page.title = "pkce"
    page.on_route_change = on_route_change
    await asyncio.to_thread(auth.restore)
    # A link that started the app is its first route, and no change of it.
    if await take(page.route):
        return
    pending = None if auth.session else await asyncio.to_thread(auth.pending_poll)
    if pending is None:
        await home()
        return
    try:
        await wait_for(pending)
    except PkceError as error:
        await home(f"The login did not work: {error.code}.")


def run() -> None:
    import flet as ft

    ft.run(main)


if __name__ == "__main__":
    run()

"""Hosted login by poll and by redirect, against a backend that does what the test says."""

from __future__ import annotations

import threading
import unittest
from typing import Any, Dict

from case import LOGIN_ID, Case
from fakes import LOST, grant, refusal, reply
from pkce_client import PkceError
from pkce_client.pkce import challenge_of
from pkce_client.store import FileStore
from pkce_client.wire import Reply


class Poll(Case):
    def test_waits_until_the_user_is_done_and_asks_the_same_each_time(self) -> None:
        pending = reply(202, status="pending")
        self.backend.script = [self.started(), pending, LOST, refusal(503, "unavailable", True), grant(0)]
        poll = self.auth.begin_poll(login_hint="ada")
        self.assertEqual(poll.url, f"https://api.example.com/auth/login/{LOGIN_ID}")
        self.assertRegex(poll.code, r"\A[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}\Z")
        self.auth.wait_for_poll(poll)
        path, wish = self.backend.sent[0]
        polls = [body for sent, body in self.backend.sent if sent == "/poll"]
        self.assertEqual(path, "/start")
        self.assertEqual((wish["delivery"], wish["login_hint"]), ("poll", "ada"))
        self.assertEqual(wish["code_challenge"], challenge_of(polls[0]["code_verifier"]))
        self.assertEqual(polls, [polls[0]] * 4)
        self.assertEqual(self.clock.slept, [2, 2, 2])
        self.assertEqual(self.stored()["logins"], [])
        self.assertEqual(challenge_of(self.stored()["session"]["verifier"]), polls[0]["session_challenge"])

    def test_goes_on_after_a_crash(self) -> None:
        self.backend.script = [self.started(), grant(0)]
        poll = self.auth.begin_poll()
        again = self.start()
        self.assertEqual(again.pending_poll(), poll)
        self.assertIsNotNone(again.wait_for_poll(poll))
        self.assertIsNone(again.pending_poll())

    def test_ends_where_the_backend_or_the_user_ends_it(self) -> None:
        for answer, code in (
            (refusal(410, "login_expired"), "login_expired"),
            (refusal(400, "login_failed"), "login_failed"),
        ):
            self.backend.script = [self.started(), answer]
            with self.assertRaisesRegex(PkceError, code):
                self.auth.wait_for_poll(self.auth.begin_poll())
            self.assertIsNone(self.auth.pending_poll())
        cancelled = threading.Event()
        cancelled.set()
        self.backend.script = [self.started()]
        self.assertIsNone(self.auth.wait_for_poll(self.auth.begin_poll(), cancelled))
        self.assertIsNone(self.auth.pending_poll())

    def test_does_not_wait_for_ever(self) -> None:
        self.backend.script = [self.started(), *[reply(202, status="pending")] * 999]
        with self.assertRaisesRegex(PkceError, "login_expired"):
            self.auth.wait_for_poll(self.auth.begin_poll())
        self.assertLessEqual(sum(self.clock.slept), 602)

    def test_opens_only_a_page_of_the_login_that_was_begun(self) -> None:
        for url in (
            f"http://api.example.com/auth/login/{LOGIN_ID}",
            f"javascript:1/login/{LOGIN_ID}",
            "https://api.example.com/auth/login/other",
            None,
        ):
            self.backend.script = [reply(200, login_id=LOGIN_ID, authorize_url=url)]
            with self.assertRaisesRegex(PkceError, "insecure_endpoint"):
                self.auth.begin_poll()
        self.backend.script = [reply(200, login_id="short", authorize_url="https://api.example.com/auth/login/short")]
        with self.assertRaisesRegex(PkceError, "internal"):
            self.auth.begin_poll()
        self.assertIsNone(self.auth.pending_poll())

    def test_a_pause_that_the_backend_names_is_kept(self) -> None:
        busy = b'{"error":"rate_limited","retryable":true}'
        self.backend.script = [self.started(), (429, {"Pkce-Protocol": "1", "Retry-After": "30"}, busy), grant(0)]
        self.auth.wait_for_poll(self.auth.begin_poll())
        self.assertEqual(self.clock.slept, [30])

    def test_logout_ends_a_login_under_way(self) -> None:
        self.backend.script = [self.started()]
        self.auth.begin_poll()
        self.auth.logout()
        self.assertIsNone(self.auth.pending_poll())

    def test_no_link_ends_a_login_by_poll(self) -> None:
        self.backend.script = [self.started()]
        poll = self.auth.begin_poll()
        with self.assertRaisesRegex(PkceError, "callback_unexpected"):
            self.auth.handle_callback(f"/?code=x&state={poll.state}&iss=https://api.example.com/auth")
        self.assertEqual(self.auth.pending_poll(), poll)

    def test_a_late_grant_never_replaces_what_the_line_has_made_since(self) -> None:
        def meanwhile(_: Dict[str, Any]) -> Reply:
            def change(record: Dict[str, Any]) -> None:
                record["session"] = {"id": "S" * 22, "provider": "", "refresh_token": "newer"}

            FileStore(self.path).update(change)
            return grant(0)

        self.backend.script = [self.started(), meanwhile]
        self.auth.wait_for_poll(self.auth.begin_poll())
        self.assertEqual(self.stored()["session"]["refresh_token"], "newer")

    def test_the_session_that_was_here_before_ends(self) -> None:
        self.log_in()
        self.backend.script = [self.started(), grant(7, session_id="T" * 22), reply(200)]
        self.auth.wait_for_poll(self.auth.begin_poll())
        path, body = self.backend.sent[-1]
        self.assertEqual((path, body["refresh_token"]), ("/logout", "refresh-token-0"))
        self.assertEqual(self.stored()["session"]["id"], "T" * 22)

    def test_a_grant_after_logout_is_given_back(self) -> None:
        def meanwhile(_: Dict[str, Any]) -> Reply:
            FileStore(self.path).update(lambda record: record.update(logins=[]))
            return grant(0)

        self.backend.script = [self.started(), meanwhile, reply(200)]
        with self.assertRaisesRegex(PkceError, "callback_used"):
            self.auth.wait_for_poll(self.auth.begin_poll())
        self.assertIsNone(self.auth.session)
        path, body = self.backend.sent[-1]
        self.assertEqual((path, body["refresh_token"]), ("/logout", "refresh-token-0"))


class Redirect(Case):
    LINK = "com.example.app://auth/callback"

    def begin(self) -> str:
        self.backend.script = [self.started()]
        self.auth.begin_hosted(self.LINK)
        wish = self.backend.sent[-1][1] or {}
        self.assertEqual((wish["delivery"], wish["redirect_uri"]), ("redirect", self.LINK))
        return str(wish["state"])

    def test_redeems_the_handoff_once_with_the_verifier_of_the_start(self) -> None:
        state = self.begin()
        route = f"/callback?handoff=h&state={state}&iss=https://api.example.com/auth"
        self.backend.script = [LOST, grant(0)]
        self.auth.handle_callback(route)
        _, wish = self.backend.sent[0]
        bodies = [body for path, body in self.backend.sent if path == "/redeem"]
        self.assertEqual(bodies, [bodies[0]] * 2)
        self.assertEqual((bodies[0]["handoff"], bodies[0]["login_id"]), ("h", LOGIN_ID))
        self.assertEqual(challenge_of(bodies[0]["code_verifier"]), wish["code_challenge"])
        self.assertNotIn("iss", bodies[0])
        with self.assertRaisesRegex(PkceError, "callback_used"):
            self.auth.handle_callback(route)

    def test_takes_no_handoff_of_another_issuer_or_state(self) -> None:
        state = self.begin()
        with self.assertRaisesRegex(PkceError, "state_mismatch"):
            self.auth.handle_callback(f"/callback?handoff=h&state={'x' * 43}&iss=https://api.example.com/auth")
        with self.assertRaisesRegex(PkceError, "issuer_mismatch"):
            self.auth.handle_callback(f"/callback?handoff=h&state={state}&iss=https://evil.example/auth")
        with self.assertRaisesRegex(PkceError, "issuer_mismatch"):
            other = self.begin()
            self.auth.handle_callback(f"/callback?handoff=h&state={other}")
        self.assertEqual({path for path, _ in self.backend.sent}, {"/start"})

    def test_another_handoff_comes_too_late_while_the_first_is_on_its_way(self) -> None:
        state = self.begin()
        route = f"/callback?state={state}&iss=https://api.example.com/auth&handoff="
        with self.assertRaisesRegex(PkceError, "network"):
            self.auth.handle_callback(route + "first")
        with self.assertRaisesRegex(PkceError, "callback_used"):
            self.auth.handle_callback(route + "second")
        self.backend.script = [grant(0)]
        self.assertIsNotNone(self.start().restore())
        bodies = [body for path, body in self.backend.sent if path == "/redeem"]
        self.assertEqual({body["handoff"] for body in bodies}, {"first"})

    def test_a_login_that_is_over_takes_nothing(self) -> None:
        state = self.begin()
        self.clock.move(601)
        with self.assertRaisesRegex(PkceError, "flow_expired"):
            self.auth.handle_callback(f"/callback?handoff=h&state={state}&iss=https://api.example.com/auth")

    def test_five_logins_wait_at_most(self) -> None:
        states = [self.begin() for _ in range(6)]
        self.assertEqual([login["state"] for login in self.stored()["logins"]], states[1:])


if __name__ == "__main__":
    unittest.main()

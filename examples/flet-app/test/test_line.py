"""The session line, against a backend that does what the test says."""

from __future__ import annotations

import json
import threading
import unittest
from typing import Any, Dict, List

from case import Case
from fakes import LOST, grant, refusal, reply
from pkce_client import PkceClient, PkceError
from pkce_client.pkce import challenge_of
from pkce_client.store import FileStore
from pkce_client.wire import Reply


class TheLine(Case):
    def test_the_step_is_durable_before_it_is_sent_and_repeated_as_it_is(self) -> None:
        self.log_in()
        seen: List[Any] = []

        def look(body: Dict[str, Any]) -> Reply:
            seen.append(self.stored()["session"]["pending"])
            raise LOST

        self.backend.script = [look] * 4
        with self.assertRaisesRegex(PkceError, "network"):
            self.auth.refresh()
        self.backend.script = [grant(1)]
        self.clock.move(60)
        self.assertEqual(self.start().session_token(), "session-token-1")
        bodies = self.refreshes()
        self.assertEqual(len(bodies), 5)
        self.assertEqual(bodies, [bodies[0]] * 5)
        self.assertEqual({challenge_of(verifier) for verifier in seen}, {bodies[0]["session_challenge"]})
        self.assertEqual(self.stored()["session"]["verifier"], seen[0])

    def test_each_step_opens_the_challenge_of_the_last(self) -> None:
        self.log_in()
        for number in (1, 2, 3):
            self.backend.script = [grant(number)]
            self.auth.refresh()
            self.clock.move(60)
        bodies = self.refreshes()
        for one, next_one in zip(bodies, bodies[1:]):
            self.assertEqual(challenge_of(next_one["session_verifier"]), one["session_challenge"])
        self.assertEqual([body["refresh_token"] for body in bodies], [f"refresh-token-{n}" for n in range(3)])

    def test_no_two_new_steps_in_ten_seconds(self) -> None:
        self.log_in()
        self.backend.script = [grant(1), grant(2)]
        self.auth.refresh()
        self.clock.move(9)
        self.assertEqual(self.auth.refresh(), "session-token-1")
        self.clock.move(2)
        self.assertEqual(self.auth.refresh(), "session-token-2")

    def test_a_late_repeat_brings_no_token_and_the_next_step_does(self) -> None:
        self.log_in()
        self.backend.script = [grant(1, session_token=None, expires_in=None), grant(2)]
        self.assertEqual(self.auth.session_token(), "session-token-2")
        self.assertEqual([body["refresh_token"] for body in self.refreshes()], ["refresh-token-0", "refresh-token-1"])
        self.assertEqual(self.clock.slept, [10])

    def test_the_four_codes_end_the_session_and_nothing_else_does(self) -> None:
        for answer in (
            refusal(401, "forbidden"),
            refusal(403, "session_revoked"),
            refusal(404, "not_found"),
            refusal(404, "not_found", True),
        ):
            self.log_in()
            self.backend.script = [answer]
            for _ in range(2):
                with self.assertRaisesRegex(PkceError, "stalled"):
                    self.auth.session_token()
            self.assertEqual(len(self.refreshes()), 1)
            self.assertIsNotNone(self.auth.session)
            self.auth = self.start()
        self.log_in()
        self.backend.script = [refusal(401, "session_revoked")]
        self.assertIsNone(self.auth.session_token())
        self.assertIsNone(self.auth.session)
        self.assertEqual(self.signed_out, ["session_revoked"])

    def test_an_answer_counts_only_for_the_token_it_was_asked_with(self) -> None:
        for late in (refusal(401, "session_expired"), grant(1), LOST):
            self.log_in()

            def elsewhere(_: Dict[str, Any]) -> Reply:
                def change(record: Dict[str, Any]) -> None:
                    token = {"value": "newer", "lifetime": 300, "asked_at": self.clock.wall()}
                    record["session"].update(refresh_token="newer", verifier="v" * 43, pending=None, token=token)

                FileStore(self.path).update(change)
                if isinstance(late, OSError):
                    raise late
                return late

            self.backend.script = [elsewhere]
            self.assertEqual(self.auth.session_token(), "newer")
            self.assertEqual(len(self.refreshes()), 1)
            self.assertEqual(self.stored()["session"]["refresh_token"], "newer")
        self.assertEqual(self.signed_out, [])

    def test_a_grant_of_another_session_is_no_answer(self) -> None:
        self.log_in()
        self.backend.script = [grant(1, session_id="T" * 22)] * 4
        with self.assertRaisesRegex(PkceError, "network"):
            self.auth.refresh()
        self.assertEqual(self.stored()["session"]["refresh_token"], "refresh-token-0")

    def test_waits_are_bounded_and_a_valid_token_is_never_waited_for(self) -> None:
        self.log_in()
        before = self.clock.monotonic()
        self.backend.script = [refusal(503, "unavailable", True)] * 9
        with self.assertRaisesRegex(PkceError, "unavailable"):
            self.auth.session_token()
        self.assertLessEqual(self.clock.monotonic() - before, 15)
        self.assertEqual(len(self.refreshes()), 4)

        self.backend.script = [grant(1, expires_in=20)]
        self.assertEqual(self.auth.session_token(), "session-token-1")
        self.clock.move(15)
        elsewhere = threading.Event()
        threads: List[int] = []

        def renew(_: Dict[str, Any]) -> Reply:
            threads.append(threading.get_ident())
            elsewhere.set()
            return grant(2)

        self.backend.script = [renew]
        self.assertEqual(self.auth.session_token(), "session-token-1")
        self.assertTrue(elsewhere.wait(10))
        self.assertNotEqual(threads, [threading.get_ident()])
        for thread in threading.enumerate():
            if thread is not threading.current_thread():
                thread.join()
        self.assertEqual(self.auth.session_token(), "session-token-2")

    def test_a_named_pause_is_kept_by_the_next_call_too(self) -> None:
        self.log_in()
        busy = json.dumps({"error": "rate_limited", "retryable": True}).encode()
        self.backend.script = [(429, {"Pkce-Protocol": "1", "Retry-After": "40"}, busy), grant(1)]
        for _ in range(2):
            with self.assertRaises(PkceError):
                self.auth.session_token()
        self.assertEqual(len(self.refreshes()), 1)
        self.clock.move(41)
        self.assertEqual(self.auth.session_token(), "session-token-1")

    def test_a_clock_that_is_set_back_makes_no_token_live_longer(self) -> None:
        self.log_in()
        self.backend.script = [grant(1), grant(2)]
        self.assertEqual(self.auth.session_token(), "session-token-1")
        self.clock.move(400)
        self.clock.jumped = -7200
        self.assertEqual(self.auth.session_token(), "session-token-2")

    def test_a_token_from_the_future_is_not_believed(self) -> None:
        self.log_in()
        self.backend.script = [grant(1), grant(2)]
        self.assertEqual(self.auth.session_token(), "session-token-1")
        self.clock.jumped = -7200
        self.assertEqual(self.start().session_token(), "session-token-2")

    def test_a_401_of_the_api_takes_the_token_that_another_process_has_got(self) -> None:
        self.log_in()
        self.backend.script = [grant(1)]
        self.auth.session_token()
        other = self.start()

        def meanwhile(_: Dict[str, Any]) -> Reply:
            self.clock.move(11)
            self.backend.script = [grant(2)]
            other.refresh()
            self.clock.move(11)
            self.backend.script = [reply(200, sub="ada")]
            return refusal(401, "invalid_token")

        self.backend.script = [meanwhile]
        self.assertEqual(self.auth.fetch("GET", "/me")[0], 200)
        self.assertEqual(len(self.refreshes()), 2)
        self.assertEqual(self.backend.bearers[-1], "Bearer session-token-2")

    def test_nobody_else_gets_the_token(self) -> None:
        self.log_in()
        for url in ("https://evil.example/me", "https://api.example.com:444/me", "http://api.example.com/me", "//evil"):
            self.backend.script = [grant(1), reply(200)]
            self.backend.sent.clear()
            try:
                self.auth.fetch("GET", url)
            except PkceError as error:
                self.assertEqual(error.code, "origin_not_allowed")
            for sent, _ in self.backend.sent:
                self.assertTrue(sent.startswith(("/refresh", "https://api.example.com//evil")), sent)
        with self.assertRaisesRegex(PkceError, "insecure_endpoint"):
            PkceClient("http://api.example.com/auth", self.path)

    def test_threads_share_one_step(self) -> None:
        self.log_in()
        self.backend.script = [grant(1)]
        tokens: List[Any] = []
        threads = [threading.Thread(target=lambda: tokens.append(self.auth.session_token())) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(tokens, ["session-token-1"] * 8)
        self.assertEqual(len(self.refreshes()), 1)


if __name__ == "__main__":
    unittest.main()

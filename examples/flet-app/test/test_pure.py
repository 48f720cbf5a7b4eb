"""PKCE, authorization URL, callback, answers: nothing here speaks to anybody."""

from __future__ import annotations

import base64
import hashlib
import unittest
from urllib.parse import parse_qs, urlsplit

from pkce_client import PkceError
from pkce_client.callback import Expected, looks_like_callback, parse_callback
from pkce_client.pkce import authorization_url, challenge_of, is_secure, random_text, short_code
from pkce_client.wire import read_answer

STATE = "s" * 43
ISSUER = "https://tenant.example/"
APP = Expected("com.example.app://auth/callback", STATE, ISSUER, iss_required=True)
GOOD = f"code=abc&state={STATE}&iss=https%3A%2F%2Ftenant.example%2F"


class Pkce(unittest.TestCase):
    def test_the_example_of_rfc_7636_appendix_b(self) -> None:
        verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
        self.assertEqual(challenge_of(verifier), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM")

    def test_drawn_texts_are_256_bits_of_base64url_and_never_the_same(self) -> None:
        drawn = {random_text() for _ in range(100)}
        self.assertEqual(len(drawn), 100)
        for text in drawn:
            self.assertRegex(text, r"\A[A-Za-z0-9_-]{43}\Z")

    def test_the_short_code_is_the_first_40_bits_in_crockford_base32(self) -> None:
        login_id, challenge = "L" * 22, challenge_of("v" * 43)
        digest = hashlib.sha256(f"pkce-code.{login_id}.{challenge}".encode()).digest()
        rfc4648 = base64.b32encode(digest[:5]).decode()
        alphabets = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", "0123456789ABCDEFGHJKMNPQRSTVWXYZ")
        code = short_code(login_id, challenge)
        self.assertEqual(code.replace("-", ""), rfc4648.translate(alphabets))
        self.assertEqual(code[4], "-")
        self.assertNotEqual(code, short_code(login_id, challenge_of("w" * 43)))

    def test_secure_is_https_or_this_machine(self) -> None:
        for url in ("https://a.example/auth", "http://127.0.0.1:1/auth", "http://[::1]/auth", "http://localhost/auth"):
            self.assertTrue(is_secure(url), url)
        for url in (
            "http://a.example",
            "http://127.0.0.1.a.example",
            "https://user@a.example",
            "https:///auth",
            "https://a.example\\@b.example",
            "javascript:alert(1)",
            "http://localhost@a.example",
        ):
            self.assertFalse(is_secure(url), url)


class AuthorizationUrl(unittest.TestCase):
    def make(self, endpoint: str = "https://tenant.example/authorize", **params: str) -> str:
        return authorization_url(
            endpoint,
            client_id="a b&c",
            redirect_uri=APP.redirect_uri,
            scope="openid profile",
            state=STATE,
            nonce="n" * 43,
            code_challenge=challenge_of("v" * 43),
            params=params,
        )

    def test_has_what_the_protocol_asks_and_no_verifier(self) -> None:
        url = self.make(prompt="login")
        self.assertNotIn("+", url)
        query = parse_qs(urlsplit(url).query)
        self.assertEqual(query["client_id"], ["a b&c"])
        self.assertEqual(query["code_challenge_method"], ["S256"])
        self.assertEqual(query["response_type"], ["code"])
        self.assertEqual(query["prompt"], ["login"])
        self.assertNotIn("code_verifier", query)

    def test_keeps_a_query_of_the_endpoint(self) -> None:
        self.assertTrue(self.make("https://t.example/a?x=1").startswith("https://t.example/a?x=1&client_id="))

    def test_refuses_names_of_the_protocol_and_doubled_ones(self) -> None:
        for name in ("state", "redirect_uri", "client_id", "code_challenge", "response_mode", "request"):
            with self.subTest(name), self.assertRaisesRegex(PkceError, "reserved_parameter"):
                self.make(**{name: "x"})
        for endpoint in (
            "https://t.example/a?state=x",
            "https://t.example/a?x=1&x=2",
            "https://t.example/a?prompt=none",
        ):
            with self.subTest(endpoint), self.assertRaisesRegex(PkceError, "reserved_parameter"):
                self.make(endpoint, prompt="login")

    def test_refuses_an_endpoint_that_can_be_read_along(self) -> None:
        with self.assertRaisesRegex(PkceError, "insecure_endpoint"):
            self.make("http://tenant.example/authorize")


class Callback(unittest.TestCase):
    def refused(self, url: str, code: str, ignorable: bool, expected: Expected = APP) -> None:
        with self.assertRaises(PkceError, msg=url) as caught:
            parse_callback(url, expected)
        self.assertEqual((caught.exception.code, caught.exception.ignorable), (code, ignorable), url)

    def test_takes_the_ways_in_which_systems_write_one_address(self) -> None:
        for base in (
            "com.example.app://auth/callback",
            "COM.example.app://AUTH/callback",
            "/callback",
        ):
            self.assertEqual(parse_callback(f"{base}?{GOOD}", APP).grant, "abc", base)
            self.assertTrue(looks_like_callback(f"{base}?{GOOD}", APP.redirect_uri), base)
        root = Expected("com.example.app://callback", STATE, ISSUER, iss_required=True)
        for base in ("com.example.app://callback", "/"):
            self.assertEqual(parse_callback(f"{base}?{GOOD}", root).grant, "abc", base)

    def test_another_address_is_not_ours(self) -> None:
        for base in ("/", "/other", "//evil/callback", "com.evil.app://auth/callback", "https://auth/callback", ""):
            self.refused(f"{base}?{GOOD}", "callback_invalid", True)
            self.assertFalse(looks_like_callback(f"{base}?{GOOD}", APP.redirect_uri), base)

    def test_a_web_address_is_never_taken_as_a_route(self) -> None:
        web = Expected("http://127.0.0.1:5/callback", STATE, ISSUER, iss_required=True)
        self.refused(f"/callback?{GOOD}", "callback_invalid", True, web)
        self.assertEqual(parse_callback(f"http://127.0.0.1:5/callback?{GOOD}", web).grant, "abc")
        self.refused(f"http://127.0.0.1:6/callback?{GOOD}", "callback_invalid", True, web)

    def test_state_decides_whose_answer_it_is(self) -> None:
        self.refused("/callback?code=abc", "state_mismatch", True)
        self.refused("/callback?code=abc&state=", "state_mismatch", True)
        self.refused(f"/callback?code=abc&state={STATE}x&iss={ISSUER}", "state_mismatch", True)
        self.refused(f"/callback?code=abc&state=%C3%A9&iss={ISSUER}", "state_mismatch", True)
        self.refused(f"/callback?error=access_denied&state={'t' * 43}", "state_mismatch", True)
        self.refused(f"/callback?{GOOD}&state={STATE}", "callback_invalid", True)
        empty = Expected(APP.redirect_uri, "", ISSUER, iss_required=True)
        self.refused(f"/callback?code=abc&state=&iss={ISSUER}", "state_mismatch", True, empty)

    def test_iss_is_exact(self) -> None:
        for iss in ("https://tenant.example", "https://TENANT.example/", "https://evil.example/", ""):
            self.refused(f"/callback?code=abc&state={STATE}&iss={iss}", "issuer_mismatch", False)
        self.refused(f"/callback?code=abc&state={STATE}", "issuer_mismatch", False)
        self.refused(f"/callback?error=access_denied&state={STATE}&iss=https://evil.example/", "issuer_mismatch", False)
        lax = Expected(APP.redirect_uri, STATE, ISSUER, iss_required=False)
        self.assertIsNone(parse_callback(f"/callback?code=abc&state={STATE}", lax).iss)
        self.refused(f"/callback?code=abc&state={STATE}&iss=https://evil.example/", "issuer_mismatch", False, lax)

    def test_doubled_parameters_and_tokens_are_refused(self) -> None:
        for extra in (
            "&code=x",
            "&iss=x",
            "&error=a&error=b",
            "#code=x",
            "&access_token=x",
            "#id_token=x",
            "&response=x",
        ):
            self.refused(f"/callback?{GOOD}{extra}", "callback_invalid", False)

    def test_errors_are_bound_to_the_state(self) -> None:
        tail = f"state={STATE}&iss={ISSUER}"
        self.refused(f"/callback?error=access_denied&{tail}", "access_denied", False)
        self.refused(f"/callback?error=server_error&error_description=secret&{tail}", "authorization_error", False)
        self.refused(f"/callback?code=&{tail}", "callback_invalid", False)
        self.refused(f"/callback?code=%ff&{tail}", "callback_invalid", True)
        self.refused(f"/callback?code={'a' * 20_000}&{tail}", "callback_invalid", True)

    def test_a_hosted_login_takes_its_handoff_and_no_code(self) -> None:
        hosted = Expected(APP.redirect_uri, STATE, ISSUER, iss_required=True, grant_name="handoff")
        self.assertEqual(parse_callback(f"/callback?handoff=h&state={STATE}&iss={ISSUER}", hosted).grant, "h")
        self.refused(f"/callback?{GOOD}", "callback_invalid", False, hosted)
        self.refused(f"/callback?handoff=h&handoff=i&state={STATE}&iss={ISSUER}", "callback_invalid", False, hosted)


class Answers(unittest.TestCase):
    OURS = {"Pkce-Protocol": "1"}

    def test_only_the_backend_is_believed(self) -> None:
        body = b'{"error":"session_revoked","retryable":false}'
        ours = read_answer((401, self.OURS, body))
        self.assertTrue(ours.ends_session)
        for reply in (
            (401, {}, body),
            (401, {"Pkce-Protocol": "2"}, body),
            (401, self.OURS, b"<html>"),
            (401, self.OURS, b"[1]"),
            (401, self.OURS, b'{"error":1}'),
            (401, self.OURS, b'{"error":"<b>"}'),
            (200, {}, b"[" * 100_000),
        ):
            answer = read_answer(reply)
            self.assertEqual((answer.status, answer.retryable, answer.ends_session), (0, True, False), reply)

    def test_only_the_four_codes_and_only_with_401_end_a_session(self) -> None:
        for code in ("invalid_token", "session_expired", "session_revoked", "session_reuse_detected"):
            self.assertTrue(read_answer((401, self.OURS, f'{{"error":"{code}"}}'.encode())).ends_session)
            self.assertFalse(read_answer((403, self.OURS, f'{{"error":"{code}"}}'.encode())).ends_session)
        self.assertFalse(read_answer((401, self.OURS, b'{"error":"forbidden"}')).ends_session)

    def test_no_wait_is_longer_than_a_minute(self) -> None:
        busy = b'{"error":"rate_limited","retryable":true}'
        for given, wait in (("5", 5), ("999999", 60), ("-1", 0), ("Wed, 21 Oct 2015 07:28:00 GMT", 0)):
            answer = read_answer((429, {**self.OURS, "Retry-After": given}, busy))
            self.assertEqual((answer.wait, answer.retryable), (wait, True))

    def test_an_error_shows_its_code_and_nothing_else(self) -> None:
        body = b'{"error":"login_failed","error_description":"secret","error_id":"0123456789abcdef","retryable":false}'
        self.assertEqual(str(read_answer((400, self.OURS, body)).error()), "login_failed (0123456789abcdef)")


if __name__ == "__main__":
    unittest.main()

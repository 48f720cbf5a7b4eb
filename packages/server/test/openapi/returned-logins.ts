import { expect } from "vitest"
import type { PkceServer } from "../../src/server-types.js"
import { parsed, random, s256 } from "../support/server.js"
import type { answerChecker } from "./checker.js"

type Checker = ReturnType<typeof answerChecker>

/** What ends a hosted login, by path: each of one whose user is back from the fake provider. */
export async function returnedLogins(auth: PkceServer, checker: Checker, extra: object) {
  const bodies: { [path: string]: { [member: string]: unknown } } = {}
  const paths = { "/redeem": "webview", "/poll": "poll" }
  for (const [path, delivery] of Object.entries(paths)) {
    const verifier = random()
    const body = { delivery, state: random(), code_challenge: s256(verifier) }
    const { login_id } = parsed(await checker.ask(auth, { path: "/start", body }))
    const page = await logIn(auth, checker, `/login/${login_id}`)
    const [, handoff] = /handoff&quot;:&quot;([\w-]{43})/.exec(page) ?? []
    const proof = { code_verifier: verifier, ...(handoff && { handoff }) }
    bodies[path] = { login_id, ...proof, session_challenge: s256(random()), ...extra }
  }
  return bodies
}

/** The browser's way there and back. */
async function logIn(auth: PkceServer, checker: Checker, path: string): Promise<string> {
  const first = await checker.ask(auth, { method: "GET", path })
  const headers = { cookie: String(first.headers["Set-Cookie"]).split(";")[0] ?? "" }
  const [, confirm] = /name="confirm" value="([^"]+)"/.exec(first.body) ?? []
  const form = { ...headers, "content-type": "application/x-www-form-urlencoded" }
  const leaving = confirm
    ? await checker.ask(auth, { path, raw: `confirm=${confirm}`, headers: form })
    : first
  // The page that the click is answered with goes on by itself.
  const [, next = ""] = /http-equiv="refresh" content="0;url=([^"]+)"/.exec(leaving.body) ?? []
  const target = leaving.headers.Location ?? next.replaceAll("&amp;", "&")
  const answer = await fetch(target, { redirect: "manual" })
  const query = new URL(answer.headers.get("location") ?? "").search.slice(1)
  const page = await checker.ask(auth, { method: "GET", path: "/callback", query, headers })
  expect(page.status).toBe(200)
  return page.body
}

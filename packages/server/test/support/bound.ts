import type { HttpAnswer } from "../../src/http/message.js"
import { grantOf, openHosted } from "./hosted-room.js"
import { random, s256 } from "./server.js"

export const LISTED = "https://app.example.com"
/** What the client's own page makes the browser send. */
export const PAGE = { "content-type": "application/json", "pkce-protocol": "1" }
export const AT_HOME = { ...PAGE, "sec-fetch-site": "same-origin" }

export type BoundRoom = Awaited<ReturnType<typeof openBound>>

/** What a page holds of a session that is bound to a cookie. */
export interface Held {
  token: string
  verifier: string
  cookie: string
  sid: string
}

export const cookieOf = ({ headers }: HttpAnswer) => /^[^;]+/.exec(headers["Set-Cookie"] ?? "")?.[0] ?? ""

export const step = ({ token, verifier }: Pick<Held, "token" | "verifier">, next = random()) => ({
  refresh_token: token,
  session_verifier: verifier,
  session_challenge: s256(next),
})

/** A backend whose page asks for `bind: "cookie"`. */
export async function openBound() {
  const room = await openHosted({ allowedOrigins: [LISTED] })
  const send = (path: string, body: object, headers: Record<string, string> = AT_HOME) =>
    room.post(path, body, { headers: { ...PAGE, ...headers } })
  return {
    ...room,
    send,
    told: (type: string) => room.events.filter((event) => event.type === type),
    refresh: (held: Held, headers: Record<string, string>, next = random()) =>
      send("/refresh", step(held, next), headers),
    /** A login of the page, bound to its cookie. */
    async signIn(): Promise<Held & { request: object; answer: HttpAnswer }> {
      const { verifier, ...request } = room.login({ bind: "cookie" })
      const answer = await send("/exchange", request)
      const { refresh_token, session_id } = grantOf(answer)
      const cookie = cookieOf(answer)
      return { request, answer, token: String(refresh_token), verifier, cookie, sid: session_id }
    },
  }
}

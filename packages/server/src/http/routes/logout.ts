import type { LogoutAnswer, LogoutRequest } from "@pkce/protocol"
import type { Session } from "../../session/types.js"
import { json } from "../answer.js"
import { sessionCookies } from "../cookies.js"
import type { Rooms } from "../rooms.js"
import type { Route } from "../route.js"
import { logoutRequest, parseRequest } from "../schemas.js"
import { bearerToken } from "../use-cases/authenticate.js"
import { createEndedTokens } from "../use-cases/ended-tokens.js"
import type { Caller } from "../use-cases/open-session.js"

/** `POST /logout`, never GET (I1): by the session token, or by the line where that has expired. */
export function logoutRoute(
  rooms: Rooms,
  logout: (input: LogoutRequest & { session?: Session }, caller: Caller) => Promise<LogoutAnswer>,
): Route {
  const ended = createEndedTokens(rooms.now)
  return {
    method: "POST",
    path: "/logout",
    body: "optional",
    limited: true,
    async handle({ request, body }) {
      const input = parseRequest(logoutRequest, body)
      const token = bearerToken(request.header("authorization"))
      const cookies = sessionCookies(request, rooms.config)
      const answer = async (session?: Session | null) =>
        json(200, await logout({ ...input, ...(session && { session }) }, { cookies }), cookies.headers())
      if (token === null) return answer()
      const session = (await rooms.tokens.verify(token)) ?? (await ended.find(token))
      // Before the session ends: where the store fails after that, the same token must be able to ask again.
      if (session) await ended.add(token, session)
      return answer(session)
    },
  }
}

import type { Grant, PendingAnswer } from "@pkce/protocol"
import { json } from "../answer.js"
import { sessionCookies } from "../cookies.js"
import type { Rooms } from "../rooms.js"
import type { Route } from "../route.js"
import { parseRequest, pollRequest } from "../schemas.js"
import type { Poll } from "../use-cases/hosted-redeem.js"
import type { Caller } from "../use-cases/open-session.js"

/** `POST /poll`: 202 until the user is done, then a session of ours. */
export const pollRoute = (
  { config }: Rooms,
  poll: (input: Poll, caller: Caller) => Promise<Grant | PendingAnswer>,
): Route => ({
  method: "POST",
  path: "/poll",
  body: "required",
  limited: true,
  async handle({ request, body }) {
    const cookies = sessionCookies(request, config)
    const answer = await poll(parseRequest(pollRequest, body), { cookies })
    return json("status" in answer ? 202 : 200, answer, cookies.headers())
  },
})

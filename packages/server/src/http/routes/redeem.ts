import type { Grant } from "@pkce/protocol"
import { json } from "../answer.js"
import { sessionCookies } from "../cookies.js"
import type { Rooms } from "../rooms.js"
import type { Route } from "../route.js"
import { parseRequest, redeemRequest } from "../schemas.js"
import type { Redeem } from "../use-cases/hosted-redeem.js"
import type { Caller } from "../use-cases/open-session.js"

/** `POST /redeem`: a handoff for a session of ours. */
export const redeemRoute = (
  { config }: Rooms,
  redeem: (input: Redeem, caller: Caller) => Promise<Grant>,
): Route => ({
  method: "POST",
  path: "/redeem",
  body: "required",
  limited: true,
  async handle({ request, body }) {
    const cookies = sessionCookies(request, config)
    const grant = await redeem(parseRequest(redeemRequest, body), { cookies })
    return json(200, grant, cookies.headers())
  },
})

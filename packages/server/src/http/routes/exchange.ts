import type { Grant } from "@pkce/protocol"
import { json } from "../answer.js"
import { sessionCookies } from "../cookies.js"
import type { Rooms } from "../rooms.js"
import type { Route } from "../route.js"
import { exchangeRequest, parseRequest } from "../schemas.js"
import type { Exchange } from "../use-cases/exchange.js"
import type { Caller } from "../use-cases/open-session.js"

/** `POST /exchange`: a code of the provider for a session of ours. */
export const exchangeRoute = (
  { config }: Rooms,
  exchange: (input: Exchange, caller: Caller) => Promise<Grant>,
): Route => ({
  method: "POST",
  path: "/exchange",
  body: "required",
  limited: true,
  async handle({ request, body }) {
    const cookies = sessionCookies(request, config)
    const caller = { clientAddress: request.address, cookies }
    const grant = await exchange(parseRequest(exchangeRequest, body), caller)
    return json(200, grant, cookies.headers())
  },
})

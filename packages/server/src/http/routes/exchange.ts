import type { Grant } from "@pkce/protocol"
import { json } from "../answer.js"
import type { Route } from "../route.js"
import { exchangeRequest, parseRequest } from "../schemas.js"
import type { Caller, Exchange } from "../use-cases/exchange.js"

/** `POST /exchange`: a code of the provider for a session of ours. */
export const exchangeRoute = (exchange: (input: Exchange, caller: Caller) => Promise<Grant>): Route => ({
  method: "POST",
  path: "/exchange",
  body: "required",
  limited: true,
  handle: async ({ request, body }) =>
    json(200, await exchange(parseRequest(exchangeRequest, body), { clientAddress: request.address })),
})

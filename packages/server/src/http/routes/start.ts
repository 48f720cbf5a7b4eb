import type { StartAnswer } from "@pkce/protocol"
import { json } from "../answer.js"
import type { Route } from "../route.js"
import { parseRequest, startRequest } from "../schemas.js"
import type { Start } from "../use-cases/hosted-start.js"
import type { Caller } from "../use-cases/open-session.js"

/** `POST /start`: begins a hosted login. */
export const startRoute = (start: (input: Start, caller: Caller) => Promise<StartAnswer>): Route => ({
  method: "POST",
  path: "/start",
  body: "required",
  limited: true,
  handle: async ({ request, body }) =>
    json(200, await start(parseRequest(startRequest, body), { clientAddress: request.address })),
})

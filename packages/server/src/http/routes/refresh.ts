import type { Grant, RefreshRequest } from "@pkce/protocol"
import { json } from "../answer.js"
import type { Route } from "../route.js"
import { parseRequest, refreshRequest } from "../schemas.js"

/** `POST /refresh`: the next step of the session line. */
export const refreshRoute = (refresh: (input: RefreshRequest) => Promise<Grant>): Route => ({
  method: "POST",
  path: "/refresh",
  body: "required",
  limited: true,
  handle: async ({ body }) => json(200, await refresh(parseRequest(refreshRequest, body))),
})

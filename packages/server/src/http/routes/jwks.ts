import { json } from "../answer.js"
import type { Rooms } from "../rooms.js"
import type { Route } from "../route.js"

/** `GET /jwks.json`: the public keys of the session tokens (RFC 7517 section 5); empty with HS256. */
export const jwksRoute = ({ tokens }: Rooms): Route => ({
  method: "GET",
  path: "/jwks.json",
  handle: async () => json(200, await tokens.jwks()),
})

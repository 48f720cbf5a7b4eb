import type { Grant, RefreshRequest } from "@pkce/protocol"
import { json } from "../answer.js"
import { sessionCookies } from "../cookies.js"
import type { Rooms } from "../rooms.js"
import type { Route } from "../route.js"
import { parseRequest, refreshRequest } from "../schemas.js"
import type { Caller } from "../use-cases/open-session.js"

/** `POST /refresh`: the next step of the session line. */
export const refreshRoute = (
  { config }: Rooms,
  refresh: (input: RefreshRequest, caller: Caller) => Promise<Grant>,
): Route => ({
  method: "POST",
  path: "/refresh",
  body: "required",
  limited: true,
  handle: async ({ request, body }) =>
    json(
      200,
      await refresh(parseRequest(refreshRequest, body), { cookies: sessionCookies(request, config) }),
    ),
})

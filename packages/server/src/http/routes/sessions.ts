import { isIdentifier } from "@pkce/protocol"
import { PkceError } from "../../errors.js"
import { empty, json } from "../answer.js"
import type { Rooms } from "../rooms.js"
import type { Route } from "../route.js"
import { requireBearer } from "../use-cases/authenticate.js"
import type { createOwnSessions } from "../use-cases/sessions.js"

/** `GET /sessions`, `DELETE /sessions/{id}`, `DELETE /sessions` (all but the caller's): the user's list of devices. */
export const sessionsRoutes = (rooms: Rooms, own: ReturnType<typeof createOwnSessions>): Route[] => [
  {
    method: "GET",
    path: "/sessions",
    handle: async ({ request }) => json(200, await own.list(await requireBearer(rooms, request))),
  },
  {
    method: "DELETE",
    path: "/sessions",
    async handle({ request }) {
      await own.revokeOthers(await requireBearer(rooms, request))
      return empty(204)
    },
  },
  {
    method: "DELETE",
    path: "/sessions/{id}",
    async handle({ request, id }) {
      const session = await requireBearer(rooms, request)
      if (!isIdentifier(id)) throw new PkceError("not_found")
      await own.revoke(session, id)
      return empty(204)
    },
  },
]

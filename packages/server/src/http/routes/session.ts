import type { SessionAnswer } from "@pkce/protocol"
import type { Session } from "../../session/types.js"
import { json } from "../answer.js"
import type { Rooms } from "../rooms.js"
import type { Route } from "../route.js"
import { requireBearer } from "../use-cases/authenticate.js"

/** `GET /session`: who the bearer is. Asks the store, so a session that has ended is told apart from one that lives. */
export const sessionRoute = (
  rooms: Rooms,
  describe: (session: Session) => Promise<SessionAnswer>,
): Route => ({
  method: "GET",
  path: "/session",
  handle: async ({ request }) => json(200, await describe(await requireBearer(rooms, request))),
})

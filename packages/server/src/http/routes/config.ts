import { type ConfigAnswer, PROTOCOL_VERSION } from "@pkce/protocol"
import { json } from "../answer.js"
import type { Rooms } from "../rooms.js"
import type { Route } from "../route.js"

/** All that an app needs to start a login; one entry per client id. Warms the connections that the login will use. */
export const createDescribe = (rooms: Rooms) => async (): Promise<ConfigAnswer> => ({
  protocol: PROTOCOL_VERSION,
  providers: await Promise.all(rooms.providers.list.map((provider) => provider.config())),
  hosted: [...(rooms.config.hosted?.deliveries ?? [])],
})

/** `GET /config` */
export const configRoute = (describe: () => Promise<ConfigAnswer>): Route => ({
  method: "GET",
  path: "/config",
  handle: async () => json(200, await describe()),
})

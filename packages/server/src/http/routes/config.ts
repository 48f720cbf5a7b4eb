import { type ConfigAnswer, PROTOCOL_VERSION } from "@pkce/protocol"
import { json } from "../answer.js"
import type { Rooms } from "../rooms.js"
import type { Route } from "../route.js"

/**
 * All that an app needs to start a login; one entry per client id. Warms the connections that the login will use. A provider
 * whose metadata cannot be had is left out, and is nobody else's outage; where none can be had, it is ours.
 */
export const createDescribe = (rooms: Rooms) => async (): Promise<ConfigAnswer> => {
  const found = await Promise.allSettled(rooms.providers.list.map((provider) => provider.config()))
  const providers = found.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []))
  const [first] = found
  if (providers.length === 0 && first?.status === "rejected") throw first.reason
  return {
    protocol: PROTOCOL_VERSION,
    providers,
    hosted: [...(rooms.config.hosted?.deliveries ?? [])],
  }
}

/** `GET /config` */
export const configRoute = (describe: () => Promise<ConfigAnswer>): Route => ({
  method: "GET",
  path: "/config",
  handle: async () => json(200, await describe()),
})

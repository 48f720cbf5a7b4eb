import { PkceError } from "../errors.js"
import { createLoginRecords } from "../hosted/records.js"
import { createHostedSecrets } from "../hosted/secrets.js"
import type { Telemetry } from "../telemetry/types.js"
import { createHostedPages } from "./hosted-pages.js"
import type { Rooms } from "./rooms.js"
import type { Route } from "./route.js"
import { callbackRoute } from "./routes/callback.js"
import { loginRoutes } from "./routes/login.js"
import { pollRoute } from "./routes/poll.js"
import { redeemRoute } from "./routes/redeem.js"
import { startRoute } from "./routes/start.js"
import { createHostedBrowser } from "./use-cases/hosted-browser.js"
import { createHostedRedeem } from "./use-cases/hosted-redeem.js"
import { createHostedStart } from "./use-cases/hosted-start.js"

/** The hosted login's functions and routes, or `null` where it is not offered. */
export function createHosted(rooms: Rooms, { hosted: observed }: Pick<Telemetry, "hosted">) {
  const { hosted } = rooms.config
  if (hosted === null) return null
  const records = createLoginRecords(rooms.store, rooms.vault)
  const secrets = createHostedSecrets(rooms.ring)
  const start = observed("start", createHostedStart(rooms, hosted, records))
  const ends = createHostedRedeem(rooms, records, secrets)
  const redeem = observed("redeem", ends.redeem)
  const poll = observed("poll", ends.poll)
  const browser = createHostedBrowser(rooms, hosted, records, secrets)
  const pages = createHostedPages(hosted, rooms.emit)
  const routes: Route[] = [
    startRoute(start),
    ...loginRoutes(hosted, pages, browser),
    callbackRoute(hosted, pages, observed("callback", browser.callback)),
    redeemRoute(rooms, redeem),
    pollRoute(rooms, poll),
  ]
  return { start, redeem, poll, routes }
}

/** Throws `not_found`, as the wire answers for routes that are not there. */
export function offered<T>(hosted: T | null): T {
  if (hosted === null) throw new PkceError("not_found")
  return hosted
}

import { createPkceClient } from "../../src/client.js"
import { cli } from "../../src/platforms/cli.js"
import { systemClock } from "../../src/session/clock.js"

// One of several programs of a user, on one file. Its parent says how far its clock has gone on meanwhile, so that the session
// token has ended without anybody waiting for that.

/** What a program answers. */
export interface Said {
  token: string | null
  id?: string | undefined
  told: string[]
}

const [server = "", directory = "", start] = process.argv.slice(2)
let ahead = Number(start)

const auth = createPkceClient({
  server,
  redirectUri: "http://127.0.0.1/callback",
  platform: {
    ...cli({ directory }),
    clock: {
      ...systemClock,
      wall: () => systemClock.wall() + ahead,
      monotonic: () => systemClock.monotonic() + ahead,
    },
  },
})

const told: string[] = []
auth.subscribe(({ type }) => told.push(type))

process.on("message", async (milliseconds: number) => {
  ahead = milliseconds
  const token = await auth.getSessionToken().catch((error) => error.code)
  process.send?.({ token, id: auth.session?.id, told } satisfies Said)
})

await auth.restore()
process.send?.("ready")

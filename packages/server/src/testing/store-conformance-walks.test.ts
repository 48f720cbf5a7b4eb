import { expect, test } from "vitest"
import type { NewSession, SessionRow, Store } from "../stores/contract.js"
import { type BrokenStores, failures } from "./store-conformance.fixture.js"

const ALL = 100_000

/** Faults of `due`, `scan` and `revokeByProviderSession`. Each must fail the kit, and fail it for its own fault. */
const broken: BrokenStores = {
  "due ignores the time": {
    fault: (good) => ({ due: (_, limit) => good.due(ALL, limit) }),
    caught: /due shows the grants that are due/,
  },
  "due has no order": {
    fault: (good) => ({
      async due(within, limit) {
        const { rows, now } = await good.due(within, limit)
        return { rows: rows.reverse(), now }
      },
    }),
    caught: /the earliest first/,
  },
  "due has no limit": {
    fault: (good) => ({ due: (within) => good.due(within, ALL) }),
    caught: /at most as many as it is told/,
  },
  "due takes any, and then puts them in order": {
    fault: (good) => ({
      async due(within, limit) {
        const { rows, now } = await good.due(within, ALL)
        return { rows: rows.slice(-limit), now }
      },
    }),
    caught: /due takes the earliest/,
  },
  "due shows rows without their tokens": {
    fault: (good) => ({
      async due(within, limit) {
        const { rows, now } = await good.due(within, limit)
        return { rows: rows.map((row) => ({ ...row, grant: null })), now }
      },
    }),
    caught: /shows whole rows/,
  },
  "due shows what is leased": {
    fault: (good) => dueAlso(good, (row, now) => row.grantDueAt !== null && row.leaseExpiresAt > now),
    caught: /due leaves out what is leased/,
  },
  "due does not hear of sealGrant": {
    fault(good) {
      const first = new Map<string, number | null>()
      return {
        async due(within, limit) {
          const { rows, now } = await good.due(ALL, limit)
          for (const { sid, grantDueAt } of rows) if (!first.has(sid)) first.set(sid, grantDueAt)
          return { rows: rows.filter(({ sid }) => (first.get(sid) ?? 0) <= now + within), now }
        },
      }
    },
    caught: /follows what sealGrant says/,
  },
  "due shows sessions that were ended": {
    fault: (good) => dueAlso(good, (row) => row.revokedAt !== null),
    caught: /due leaves out a session that was ended/,
  },
  "due shows sessions that have expired": {
    fault: (good) => dueAlso(good, (row, now) => row.grantDueAt !== null && row.idleExpiresAt <= now),
    caught: /due goes by the store's clock/,
  },
  "due never shows again what was leased": {
    fault: (good) => ({
      async due(within, limit) {
        const { rows, now } = await good.due(within, limit)
        return { rows: rows.filter(({ leaseExpiresAt }) => leaseExpiresAt === 0), now }
      },
    }),
    caught: /due goes by the store's clock/,
  },
  "scan has one page": {
    fault: (good) => ({ scan: async (from, limit) => ({ ...(await good.scan(from, limit)), next: null }) }),
    caught: /scan meets every live session/,
  },
  "scan has no limit": {
    fault: (good) => ({ scan: (from) => good.scan(from, ALL) }),
    caught: /scan meets every live session/,
  },
  "scan never ends": {
    fault: (good) => ({
      async scan(from, limit) {
        const page = await good.scan(from, limit)
        return { ...page, next: page.next ?? from ?? "end" }
      },
    }),
    caught: /scan meets every live session/,
  },
  "scan meets sessions that were ended": {
    fault: (good) => scanAlso(good, (row) => row.revokedAt !== null),
    caught: /none that has ended/,
  },
  "scan meets sessions that have expired": {
    fault: (good) => scanAlso(good, (row, now) => row.idleExpiresAt <= now),
    caught: /scan meets no session that has expired/,
  },
  "scan counts": {
    fault: (good) => ({
      async scan(from, limit) {
        const { rows, now } = await good.scan(null, ALL)
        const [start, end] = [Number(from), Number(from) + limit]
        return { rows: rows.slice(start, end), next: end < rows.length ? String(end) : null, now }
      },
    }),
    caught: /scan meets what lives throughout/,
  },
  "revokeByProviderSession ignores the issuer": {
    fault: (good) => endsWhere(good, (given, _, idpSid) => given.idpSid === idpSid),
    caught: /of that issuer and that sid/,
  },
  "revokeByProviderSession ignores the sid": {
    fault: (good) => endsWhere(good, (given, idpIss) => given.idpIss === idpIss),
    caught: /of that issuer and that sid/,
  },
  "revokeByProviderSession joins the two": {
    fault: (good) =>
      endsWhere(good, (given, idpIss, idpSid) => given.idpIss + given.idpSid === idpIss + idpSid),
    caught: /of that issuer and that sid/,
  },
  "revokeByProviderSession names what was ended before": {
    fault(good) {
      const named: string[] = []
      return {
        async revokeByProviderSession(...given) {
          named.push(...(await good.revokeByProviderSession(...given)))
          return [...named]
        },
      }
    },
    caught: /names them once/,
  },
  "revokeByProviderSession finds only what an index had time to learn": {
    fault: (good) => ({
      async create(session) {
        if (session.idpSid === null) return good.create(session)
        const result = await good.create({ ...session, idpSid: null })
        if (result.outcome === "created") result.row.idpSid = session.idpSid
        return result
      },
    }),
    caught: /finds every session that was created before it/,
  },
  "revokeByProviderSession ends what has expired": {
    fault: (good) => ({
      async revokeByProviderSession(idpIss, idpSid, reason) {
        const ended = await good.revokeByProviderSession(idpIss, idpSid, reason)
        return reason === "x" ? ["an expired one"] : ended
      },
    }),
    caught: /leaves alone what has expired/,
  },
}

/** Every row that was ever created in this store. */
function remembering(good: Store): { create: Store["create"]; rows: () => Promise<SessionRow[]> } {
  const sids = new Set<string>()
  return {
    create(session) {
      sids.add(session.sid)
      return good.create(session)
    },
    async rows() {
      const found = await Promise.all([...sids].map((sid) => good.find(sid)))
      return found.flatMap(({ row }) => row ?? [])
    },
  }
}

type Test = (row: SessionRow, now: number) => boolean

function dueAlso(good: Store, also: Test): Partial<Store> {
  const { create, rows } = remembering(good)
  return {
    create,
    async due(within, limit) {
      const found = await good.due(within, limit)
      return { ...found, rows: [...found.rows, ...(await rows()).filter((row) => also(row, found.now))] }
    },
  }
}

function scanAlso(good: Store, also: Test): Partial<Store> {
  const { create, rows } = remembering(good)
  return {
    create,
    async scan(from, limit) {
      const page = await good.scan(from, limit)
      if (page.next !== null) return page
      const more = (await rows()).filter((row) => also(row, page.now))
      return { ...page, rows: [...page.rows, ...more].slice(-limit) }
    },
  }
}

function endsWhere(
  good: Store,
  where: (given: NewSession, idpIss: string, idpSid: string) => boolean,
): Partial<Store> {
  const given: NewSession[] = []
  return {
    create(session) {
      given.push(session)
      return good.create(session)
    },
    async revokeByProviderSession(idpIss, idpSid, reason) {
      const ended: string[] = []
      for (const session of given) {
        if (!where(session, idpIss, idpSid)) continue
        if (await good.revoke(session.sid, reason)) ended.push(session.sid)
      }
      return ended
    },
  }
}

for (const [name, { fault, caught }] of Object.entries(broken)) {
  test(`G10: the kit catches a store whose fault is: ${name}`, async () => {
    expect(await failures(fault)).toContainEqual(expect.stringMatching(caught))
  })
}

import { expect, test } from "vitest"
import type { GrantState, SessionRow, Store } from "../stores/contract.js"
import { newSession } from "./conformance/case.js"
import { type BrokenStores, failures, turn } from "./store-conformance.fixture.js"

/** Faults of leases and seals. Each must fail the kit, and fail it for its own fault. */
const broken: BrokenStores = {
  "create forgets when the grant is due": {
    fault: (good) => ({ create: (session) => good.create({ ...session, grantDueSeconds: null }) }),
    caught: /create keeps every field/,
  },
  "leaseGrant reads, then writes": {
    fault: (good) => ({
      async leaseGrant(sid, lease) {
        const { row } = await good.find(sid)
        await turn()
        const result = await good.leaseGrant(sid, lease)
        return result.outcome === "refused" && row && isFree(row, result.now)
          ? { ...result, outcome: "leased", before: row.grantState }
          : result
      },
    }),
    caught: /200 leases that race/,
  },
  "leaseGrant gives every lease one number": {
    fault: (good) => seenAs(good, (row) => ({ ...row, leaseNumber: Math.min(row.leaseNumber, 1) })),
    caught: /counts up the fencing number/,
  },
  "leaseGrant leaves the state as it was": {
    fault: (good) =>
      seenAs(good, (row) => ({ ...row, grantState: row.grantState === "uncertain" ? "ok" : row.grantState })),
    caught: /writes the intent/,
  },
  "leaseGrant tells the state that it wrote": {
    fault: (good) => ({
      async leaseGrant(sid, lease) {
        const result = await good.leaseGrant(sid, lease)
        return result.outcome === "leased" ? { ...result, before: result.row.grantState } : result
      },
    }),
    caught: /tells the state that it found/,
  },
  "leaseGrant does not compare the revision": {
    fault: (good) => ({
      async leaseGrant(sid, lease) {
        const { row } = await good.find(sid)
        return good.leaseGrant(sid, { ...lease, rev: row?.grantRev ?? lease.rev })
      },
    }),
    caught: /leaseGrant compares the revision/,
  },
  "leaseGrant takes a grant that is lost": {
    fault: (good) => leasesAnyway(good, (row) => row.grantState === "lost"),
    caught: /lost or revoked/,
  },
  "leaseGrant takes a grant that is revoked": {
    fault: (good) => leasesAnyway(good, (row) => row.grantState === "revoked"),
    caught: /lost or revoked/,
  },
  "leaseGrant takes a grant that is not there": {
    fault: (good) => leasesAnyway(good, (row) => row.grant === null && row.revokedAt === null),
    caught: /a session that has none/,
  },
  "leaseGrant takes a session that has ended": {
    fault: (good) => leasesAnyway(good, (row) => row.revokedAt !== null),
    caught: /leaseGrant refuses a session that has ended/,
  },
  "leaseGrant takes a session that has expired": {
    fault: (good) => leasesAnyway(good, (row, now) => now >= row.idleExpiresAt),
    caught: /idle limit by the store's clock/,
  },
  "leaseGrant creates": {
    fault: (good) => ({
      async leaseGrant(sid, lease) {
        const { row } = await good.find(sid)
        if (!row) await good.create(newSession({ sid }))
        return good.leaseGrant(sid, lease)
      },
    }),
    caught: /leaseGrant never creates/,
  },
  "a lease never ends": {
    fault: (good) => ({
      leaseGrant: (sid, { rev, seconds }) => good.leaseGrant(sid, { rev, seconds: seconds * 1000 }),
    }),
    caught: /a lease ends with its time/,
  },
  "a lease ends before its time": {
    fault: (good) => ({
      leaseGrant: (sid, { rev, seconds }) => good.leaseGrant(sid, { rev, seconds: seconds - 2 }),
    }),
    caught: /a lease ends with its time/,
  },
  "sealGrant has no fence": {
    fault: (good) => ({
      async sealGrant(seal) {
        const { row } = await good.find(seal.sid)
        return good.sealGrant({ ...seal, lease: row?.leaseNumber ?? seal.lease })
      },
    }),
    caught: /while another holds the lease/,
  },
  "sealGrant fences whoever is not the last, for good": {
    fault: (good) => ({
      async sealGrant(seal) {
        const { row, now } = await good.find(seal.sid)
        return row && row.leaseNumber !== seal.lease ? { outcome: "refused", row, now } : good.sealGrant(seal)
      },
    }),
    caught: /may save where nobody has saved/,
  },
  "sealGrant demands a lease that runs": {
    fault: (good) => ({
      async sealGrant(seal) {
        const { row, now } = await good.find(seal.sid)
        return row?.leaseExpiresAt && row.leaseExpiresAt <= now
          ? { outcome: "refused", row, now }
          : good.sealGrant(seal)
      },
    }),
    caught: /a lease that ran out fences nobody/,
  },
  "sealGrant does not compare the revision": {
    fault: (good) => ({
      async sealGrant(seal) {
        const { row } = await good.find(seal.sid)
        return good.sealGrant({ ...seal, rev: row?.grantRev ?? seal.rev })
      },
    }),
    caught: /after another has saved/,
  },
  "sealGrant reads, then writes": {
    fault: (good) => ({
      async sealGrant(seal) {
        const { row } = await good.find(seal.sid)
        await turn()
        const result = await good.sealGrant(seal)
        return result.outcome === "refused" && row?.grantRev === seal.rev && row.revokedAt === null
          ? { ...result, outcome: "sealed" }
          : result
      },
    }),
    caught: /50 seals that race/,
  },
  "sealGrant without tokens counts the revision": {
    fault: (good) => ({
      async sealGrant(seal) {
        const { row } = await good.find(seal.sid)
        return good.sealGrant({ grant: row?.grant ?? new Uint8Array(), ...seal })
      },
    }),
    caught: /without tokens keeps them/,
  },
  "sealGrant leaves the lease running": {
    fault: (good) => ({
      async sealGrant(seal) {
        const before = await good.find(seal.sid)
        const result = await good.sealGrant(seal)
        if (result.outcome !== "sealed") return result
        return { ...result, row: { ...result.row, leaseExpiresAt: before.row?.leaseExpiresAt ?? 0 } }
      },
    }),
    caught: /and ends the lease/,
  },
  "sealGrant forgets the profile": {
    fault: (good) => ({ sealGrant: ({ profile: _, ...seal }) => good.sealGrant(seal) }),
    caught: /seals the profile anew/,
  },
  "sealGrant forgets when the grant is due": {
    fault: (good) => ({ sealGrant: (seal) => good.sealGrant({ ...seal, dueSeconds: null }) }),
    caught: /with their state and due time/,
  },
  "sealGrant brings an ended session's tokens back": {
    fault: (good) => ({
      async sealGrant(seal) {
        const result = await good.sealGrant(seal)
        return result.outcome === "refused" && result.row.revokedAt !== null
          ? { ...result, outcome: "sealed" }
          : result
      },
    }),
    caught: /sealGrant refuses a session that has ended/,
  },
  "sealGrant forgets the limits": {
    fault: (good) => ({
      async sealGrant(seal) {
        const result = await good.sealGrant(seal)
        return result.outcome === "refused" && result.row.idleExpiresAt <= result.now
          ? { ...result, outcome: "sealed" }
          : result
      },
    }),
    caught: /idle limit by the store's clock/,
  },
  "sealGrant creates": {
    fault: (good) => ({
      async sealGrant(seal) {
        const { row } = await good.find(seal.sid)
        if (!row) await good.create(newSession({ sid: seal.sid }))
        return good.sealGrant(seal)
      },
    }),
    caught: /sealGrant never creates/,
  },
  "sealGrant keeps the bytes that it was given": {
    fault(good) {
      const given = new Map<string, Uint8Array>()
      return {
        async sealGrant(seal) {
          if (seal.grant) given.set(seal.sid, seal.grant)
          return good.sealGrant(seal)
        },
        async find(sid) {
          const { row, now } = await good.find(sid)
          return { row: row && { ...row, grant: given.get(sid) ?? row.grant }, now }
        },
      }
    },
    caught: /sealed bytes that it gave or got/,
  },
  "leaseGrant writes the whole row back": {
    fault(good) {
      const line = new Map<string, Partial<SessionRow>>()
      const stale = (row: SessionRow): SessionRow => ({ ...row, ...line.get(row.sid) })
      return {
        async leaseGrant(sid, lease) {
          const { row } = await good.find(sid)
          const read = row && stale(row)
          await turn()
          if (read) line.set(sid, { gen: read.gen, cur: read.cur })
          return good.leaseGrant(sid, lease)
        },
        async advance(step) {
          const result = await good.advance(step)
          if (result.outcome === "advanced") line.delete(step.sid)
          return result.outcome === "missing" ? result : { ...result, row: stale(result.row) }
        },
        async find(sid) {
          const { row, now } = await good.find(sid)
          return { row: row && stale(row), now }
        },
      }
    },
    caught: /neither loses a step of the other/,
  },
}

const isFree = (row: SessionRow, now: number) => row.grant !== null && row.leaseExpiresAt <= now

/** A store whose rows are not quite what was written. */
function seenAs(good: Store, seen: (row: SessionRow) => SessionRow): Partial<Store> {
  return {
    async leaseGrant(sid, lease) {
      const result = await good.leaseGrant(sid, lease)
      return result.outcome === "missing" ? result : { ...result, row: seen(result.row) }
    },
    async find(sid) {
      const { row, now } = await good.find(sid)
      return { row: row && seen(row), now }
    },
  }
}

/** A store that gives a lease where it should not. */
function leasesAnyway(good: Store, where: (row: SessionRow, now: number) => boolean): Partial<Store> {
  return {
    async leaseGrant(sid, lease) {
      const result = await good.leaseGrant(sid, lease)
      const before: GrantState = "ok"
      return result.outcome === "refused" && where(result.row, result.now)
        ? { ...result, outcome: "leased", before }
        : result
    },
  }
}

for (const [name, { fault, caught }] of Object.entries(broken)) {
  test(`G10: the kit catches a store whose fault is: ${name}`, async () => {
    expect(await failures(fault)).toContainEqual(expect.stringMatching(caught))
  })
}

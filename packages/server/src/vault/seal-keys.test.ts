import { describe, expect, test } from "vitest"
import type { PkceEventInput } from "../events.js"
import type { KeyProvider } from "../key-provider.js"
import { createKeyRing } from "./keyring.js"
import { createVault } from "./seal.js"
import type { SealContext } from "./types.js"

const [one, two] = ["one", "two"].map((name) => ({
  secret: `${name}-0123456789-abcdefghijklmnopqrstuvwxyz`,
  signFrom: 0,
})) as [{ secret: string; signFrom: number }, { secret: string; signFrom: number }]
const ring = createKeyRing([one], [])
const context: SealContext = { purpose: "profile", issuer: "i", subject: "u", sid: "s", rev: 0 }
const value = { name: "Ada" }
const unreadable = { code: "provider_grant_unreadable", status: 500 }

/** A KMS with the keys of these ids; the first one seals. */
function kms(...ids: string[]) {
  const keys = new Map(ids.map((id, i) => [id, new Uint8Array(32).fill(i + 1)]))
  const provider: KeyProvider = {
    current: async () => ({ id: ids[0] ?? "", key: keys.get(ids[0] ?? "") ?? new Uint8Array() }),
    find: async (id) => keys.get(id) ?? "unknown",
  }
  return { provider, keys }
}

/** A process of its own: nothing is cached yet. */
function processWith(keyProvider: KeyProvider | null, secrets = ring) {
  const events: PkceEventInput[] = []
  return { vault: createVault(secrets, { keyProvider, emit: (event) => void events.push(event) }), events }
}

test("what a provided key seals bears its id, readable, and opens at another process", async () => {
  const { provider } = kms("arn:aws:kms:eu:1:key/7")
  const sealed = await processWith(provider).vault.seal(value, context)
  expect(Buffer.from(sealed.subarray(0, 25)).toString("latin1")).toBe("\x02\x00\x16arn:aws:kms:eu:1:key/7")
  const other = processWith(provider)
  expect(await other.vault.open(sealed, context)).toEqual(value)
  expect(other.vault.sealedWith(sealed)).toBe("key-provider:arn:aws:kms:eu:1:key/7")
  // The secrets have no part in it.
  expect(await processWith(provider, createKeyRing([two], [])).vault.open(sealed, context)).toEqual(value)
})

test("a wrapped data key of 1,024 characters fits as an id", async () => {
  const id = "w".repeat(1024)
  const { vault } = processWith(kms(id).provider)
  const sealed = await vault.seal(value, context)
  expect(vault.sealedWith(sealed)).toBe(`key-provider:${id}`)
  expect(await processWith(kms(id).provider).vault.open(sealed, context)).toEqual(value)
})

describe("G7: an id of secrets and an id of the key provider are never taken for each other", () => {
  test("equal ids name different keys", async () => {
    const kid = await ring.active()
    const fromRing = await processWith(null).vault.seal(value, context)
    const asked: string[] = []
    const { provider } = kms(kid)
    const spied: KeyProvider = {
      ...provider,
      find: async (id) => {
        asked.push(id)
        return provider.find(id)
      },
    }
    const both = processWith(spied)
    expect(await both.vault.open(fromRing, context)).toEqual(value)
    expect(asked).toEqual([])
    const fromProvider = await both.vault.seal(value, context)
    expect(await both.vault.open(fromProvider, context)).toEqual(value)
    expect([fromRing, fromProvider].map(both.vault.sealedWith)).toEqual([kid, `key-provider:${kid}`])
    expect([await both.vault.isOld(fromRing), await both.vault.isOld(fromProvider)]).toEqual([true, false])
  })

  test("a value that is relabelled does not open, not even where both have the same key", async () => {
    const kid = await ring.active()
    const same = { id: kid, key: await ring.bytes(kid, "seal") }
    const { vault } = processWith({ current: async () => same, find: async () => same.key })
    const sealed = await vault.seal(value, context)
    const relabelled = Uint8Array.of(1, kid.length, ...sealed.subarray(3))
    expect(vault.sealedWith(relabelled)).toBe(kid)
    await expect(vault.open(relabelled, context)).rejects.toMatchObject(unreadable)
  })
})

describe("G6", () => {
  test("an id that the provider does not know is 503 and an event, and opens once it does", async () => {
    const sealed = await processWith(kms("k2", "k1").provider).vault.seal(value, context)
    const { provider, keys } = kms("k1")
    const { vault, events } = processWith(provider)
    const error = await vault.open(sealed, context).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code: "unavailable", status: 503, reason: "keyring_missing" })
    expect(events).toEqual([
      {
        type: "keyring.missing",
        kid: "key-provider:k2",
        error_id: (error as { errorId: string }).errorId,
      },
    ])
    keys.set("k2", new Uint8Array(32).fill(1))
    expect(await vault.open(sealed, context)).toEqual(value)
  })

  test("a secret that is not there is the same, with its id in the event", async () => {
    const sealed = await processWith(null).vault.seal(value, context)
    const { vault, events } = processWith(null, createKeyRing([two], []))
    await expect(vault.open(sealed, context)).rejects.toMatchObject({ reason: "keyring_missing" })
    expect(events).toMatchObject([{ type: "keyring.missing", kid: await ring.active() }])
  })

  test("a provider that is gone from the configuration is an outage too", async () => {
    const sealed = await processWith(kms("k").provider).vault.seal(value, context)
    await expect(processWith(null).vault.open(sealed, context)).rejects.toMatchObject({
      reason: "keyring_missing",
    })
  })

  test("a retired key makes its values unreadable for good, and says why", async () => {
    const sealed = await processWith(kms("k").provider).vault.seal(value, context)
    const { vault, events } = processWith({ ...kms("l").provider, find: async () => "retired" })
    await expect(vault.open(sealed, context)).rejects.toMatchObject({ ...unreadable, reason: "key_retired" })
    const dead = createKeyRing([two], [await ring.active()])
    const old = await processWith(null).vault.seal(value, context)
    await expect(processWith(null, dead).vault.open(old, context)).rejects.toMatchObject({
      ...unreadable,
      reason: "key_retired",
    })
    expect(events).toEqual([])
  })

  test("a provider that fails is 503 for seal, open and ready, and never 401", async () => {
    const sealed = await processWith(kms("k").provider).vault.seal(value, context)
    const fail = () => Promise.reject(new Error("KMS"))
    const { vault, events } = processWith({ current: fail, find: fail })
    const refusal = { code: "unavailable", status: 503, reason: "key_provider_failed", retryable: true }
    await expect(vault.open(sealed, context)).rejects.toMatchObject(refusal)
    await expect(vault.seal(value, context)).rejects.toMatchObject(refusal)
    await expect(vault.ready()).rejects.toMatchObject(refusal)
    expect(events.map(({ type }) => type)).toEqual(Array.from({ length: 3 }, () => "keyring.failed"))
  })
})

describe("which values are old", () => {
  const kidOf = (secrets: { secret: string; signFrom: number }) => createKeyRing([secrets], []).active()
  const sealedBy = (secrets: (typeof one)[], keyProvider: KeyProvider | null = null) =>
    processWith(keyProvider, createKeyRing(secrets, [])).vault.seal(value, context)

  test("F10: those under an older secret; those that a process ahead of us sealed are not", async () => {
    const [older, newer] = [await sealedBy([one]), await sealedBy([two])]
    const after = processWith(null, createKeyRing([two, one], [])).vault
    expect([await after.isOld(older), await after.isOld(newer)]).toEqual([true, false])
    const before = processWith(
      null,
      createKeyRing([{ ...two, signFrom: Number.MAX_SAFE_INTEGER }, one], []),
    ).vault
    expect([await before.isOld(older), await before.isOld(newer)]).toEqual([false, false])
    const dead = processWith(null, createKeyRing([two], [await kidOf(one)])).vault
    expect(await dead.isOld(older)).toBe(true)
  })

  test("all of secrets while the provider seals, and all of the provider while secrets seal", async () => {
    const { provider } = kms("k")
    const [fromRing, fromProvider] = [await sealedBy([one]), await sealedBy([one], provider)]
    const there = processWith(provider).vault
    expect([await there.isOld(fromRing), await there.isOld(fromProvider)]).toEqual([true, false])
    const back = processWith({ ...provider, current: async () => null }).vault
    expect([await back.isOld(fromRing), await back.isOld(fromProvider)]).toEqual([false, true])
  })

  test("by the name of what wraps them, where the ids are data keys", async () => {
    const wrappedBy = (id: string) => id.split(".")[0] ?? id
    const [a, b, c] = await Promise.all(
      ["2027.x", "2027.y", "2026.z"].map((id) => sealedBy([one], kms(id).provider)),
    )
    const { provider } = kms("2027.x", "2027.y", "2026.z")
    const { vault } = processWith({ ...provider, wrappedBy })
    const old = (sealed?: Uint8Array) => vault.isOld(sealed ?? new Uint8Array())
    expect([await old(a), await old(b), await old(c)]).toEqual([false, false, true])
    expect(c && vault.sealedWith(c)).toBe("key-provider:2026")
    const plain = processWith(provider).vault
    expect(b && (await plain.isOld(b))).toBe(true)
  })

  test("what is no sealed value has no key and is not old", async () => {
    const { vault } = processWith(null)
    const sealed = await vault.seal(value, context)
    const spoilt = new Uint8Array(sealed)
    spoilt[4] = 0x0a
    for (const bytes of [new Uint8Array(), Uint8Array.of(3, 1), sealed.subarray(1), spoilt]) {
      expect(vault.sealedWith(bytes)).toBeNull()
      expect(await vault.isOld(bytes)).toBe(false)
      await expect(vault.open(bytes, context)).rejects.toMatchObject(unreadable)
    }
  })
})

test("a team moves to a KMS and back, and in no deployment is there a value that a process cannot open", async () => {
  const { provider } = kms("k")
  const opening: KeyProvider = { ...provider, current: async () => null }
  let kept: Uint8Array[] = []
  async function deploy(...configurations: (KeyProvider | null)[]) {
    const fleet = configurations.map((configuration) => processWith(configuration).vault)
    for (const vault of fleet) kept.push(await vault.seal(value, context))
    for (const vault of fleet)
      for (const sealed of kept) expect(await vault.open(sealed, context)).toEqual(value)
  }
  await deploy(null, opening)
  await deploy(opening, provider)
  await deploy(provider, opening)
  expect(new Set(kept.map((sealed) => sealed[0]))).toEqual(new Set([1, 2]))
  // What resealSessions does, before the provider goes.
  const { vault } = processWith(opening)
  const anew = (sealed: Uint8Array) =>
    vault.open(sealed, context).then((opened) => vault.seal(opened, context))
  kept = await Promise.all(kept.map(async (sealed) => ((await vault.isOld(sealed)) ? anew(sealed) : sealed)))
  await deploy(opening, null)
})

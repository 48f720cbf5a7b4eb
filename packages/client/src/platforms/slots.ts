import { PkceError } from "../errors.js"
import type { LossReason, StoragePort } from "./ports.js"

/** A platform's store of small texts, such as a keychain. What it throws is never taken for an empty store. */
export interface KeyValue {
  get(key: string): Promise<string | null>
  /** Durable before it resolves. */
  set(key: string, value: string): Promise<void>
  delete(key: string): Promise<void>
}

export interface SlotOptions {
  /** Letters, digits, `.`, `_` and `-`: more is not allowed in every keychain. */
  name: string
  /** Bytes that one value may have. */
  limit: number
  /** Whether an error of the store says that the device is locked: the value is there, and not to be had now. */
  isLocked(error: unknown): boolean
  /** A store that is uninstalled with the app, which a keychain may outlive. It gets no secret. */
  fence?: KeyValue
  randomText(): string
}

interface Slot {
  generation: number
  /** The installation that wrote it; empty without a fence. */
  install: string
  /** `null` where the record was deleted. */
  text: string | null
  chunks: number
}

/** What was found: which slot is to be written next, and what counts. */
interface Found {
  text: string | null
  generation: number
  target: 0 | 1
  /** Chunks of the slots, so that none stays behind. */
  chunks: [number, number]
  install: string
  lost?: LossReason
}

const SLOTS = ["a", "b"] as const
/** Bytes that may stand before a chunk's part of the text. */
const HEAD = 64
const DELETED = "-"
const CHUNK = /^(\d+):(\d+):(\w+):([\w-]*):(.*)$/s

/** A keychain counts bytes: in JSON every character can be one of ASCII. */
const ascii = (json: string) =>
  json.replace(/[\u007f-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`)

/** FNV-1a, 32 bits: tells a torn text from a whole one. It protects from nobody. */
function checksum(text: string): string {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return (hash >>> 0).toString(36)
}

/**
 * The record in a store of small texts, such that no crash can tear it: two slots are written in turn, in chunks that fit, and
 * the chunk with the header last. A slot that is not whole does not count, and the other one does. The text must be JSON.
 *
 * With a `fence` it notices that the app was installed anew over a keychain that outlived it, and that a backup brought a
 * record which this device cannot open: both are told once, and the user logs in again.
 */
export function slotStorage(store: KeyValue, options: SlotOptions): StoragePort {
  const { name, limit, fence } = options
  const listeners = new Set<(reason: LossReason) => void>()
  const keyOf = (slot: 0 | 1, chunk: number) => `${name}.${SLOTS[slot]}.${chunk}`
  const fenceKey = `${name}.install`
  let queue: Promise<unknown> = Promise.resolve()

  /** `null` for a slot that was never written, `undefined` for one that is not whole. */
  async function readSlot(slot: 0 | 1): Promise<Slot | null | undefined> {
    const first = await store.get(keyOf(slot, 0))
    if (first === null) return null
    const [, generation, chunks = "", sum, install = "", part = ""] = CHUNK.exec(first) ?? []
    if (!generation) return undefined
    let text = part
    for (let chunk = 1; chunk < Number(chunks); chunk++) {
      const next = await store.get(keyOf(slot, chunk))
      if (!next?.startsWith(`${generation}:`)) return undefined
      text += next.slice(generation.length + 1)
    }
    if (checksum(text) !== sum) return undefined
    // Parsed and written again, so that what was not changed compares as equal.
    const record = text === DELETED ? null : JSON.stringify(JSON.parse(text))
    return { generation: Number(generation), install, text: record, chunks: Number(chunks) }
  }

  async function find(): Promise<Found> {
    const [a, b] = [await readSlot(0), await readSlot(1)]
    const newest = !b || (a && a.generation > b.generation) ? a : b
    const [install = "", holds] = ((await fence?.get(fenceKey)) ?? "").split(":")
    const found: Found = {
      text: newest?.text ?? null,
      generation: newest?.generation ?? 0,
      target: newest === a && a ? 1 : 0,
      chunks: [a?.chunks ?? 1, b?.chunks ?? 1],
      install,
    }
    // P10: the keychain of an app that was removed, or another device's.
    // One from before there was a fence is of no installation, and good.
    if (fence && found.text !== null && newest?.install && newest.install !== install)
      return { ...found, text: null, lost: "reinstalled" }
    // P11: nothing whole, where something was written; or nothing at all, where the fence says that there was.
    const isBroken = !newest && (a === undefined || b === undefined)
    if (isBroken || (!newest && holds === "1")) return { ...found, lost: "unreadable" }
    return found
  }

  async function write(found: Found, text: string | null): Promise<void> {
    const { target } = found
    const install = fence ? found.install || options.randomText() : ""
    const whole = ascii(text ?? DELETED)
    const size = limit - HEAD
    const parts: string[] = []
    for (let from = 0; from < whole.length; from += size) parts.push(whole.slice(from, from + size))
    const generation = found.generation + 1
    const isFirst = text !== null && (found.text === null || !found.install)

    // The fence first: a record whose installation is not known yet would look like another one's.
    if (fence && isFirst) await fence.set(fenceKey, `${install}:0`)
    for (let chunk = parts.length - 1; chunk > 0; chunk--)
      await store.set(keyOf(target, chunk), `${generation}:${parts[chunk]}`)
    // The header last: until it is there, the slot is not whole.
    const header = `${generation}:${parts.length}:${checksum(whole)}:${install}:`
    await store.set(keyOf(target, 0), header + parts[0])
    for (let chunk = parts.length; chunk < found.chunks[target]; chunk++)
      await store.delete(keyOf(target, chunk))

    if (fence && isFirst) await fence.set(fenceKey, `${install}:1`)
    if (text !== null) return
    // Logged out: nothing of the session stays behind.
    const other = target === 0 ? 1 : 0
    for (let chunk = 0; chunk < found.chunks[other]; chunk++) await store.delete(keyOf(other, chunk))
    if (fence && install) await fence.set(fenceKey, `${install}:0`)
  }

  /** What there is. What was lost is cleared away, and told once. */
  async function load(): Promise<Found> {
    const found = await find()
    if (!found.lost) return found
    await write({ ...found, text: null }, null)
    for (const listener of listeners) listener(found.lost)
    return find()
  }

  /** One at a time: the app is one process, and its calls cross. */
  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = queue.then(work).catch((error: unknown) => {
      if (error instanceof PkceError) throw error
      throw new PkceError(options.isLocked(error) ? "storage_locked" : "storage_unavailable", "storage")
    })
    queue = turn.catch(() => {})
    return turn
  }

  return {
    read: () => inTurn(async () => (await load()).text),
    update: (change) =>
      inTurn(async () => {
        const found = await load()
        const next = change(found.text)
        if (next !== undefined && next !== found.text) await write(found, next)
      }),
    onLost(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
  }
}

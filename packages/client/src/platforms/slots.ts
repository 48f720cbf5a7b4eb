import { PkceError } from "../errors.js"
import { randomText, s256 } from "../pkce/crypto.js"
import type { CryptoPort, LossReason, StoragePort } from "./ports.js"

/** A store that is uninstalled with the app, such as AsyncStorage. It gets a random number, and no secret. */
export interface FenceLike {
  getItem(key: string): Promise<string | null>
  setItem(key: string, value: string): Promise<unknown>
}

/** A keychain. What it throws is never taken for an empty one. */
export interface KeychainLike extends FenceLike {
  /** Durable before it resolves. */
  setItem(key: string, value: string): Promise<unknown>
  removeItem(key: string): Promise<unknown>
}

/** Bytes of one value; more than that iOS has refused in some versions. */
const LIMIT = 2048
/** `errSecInteractionNotAllowed`: before the first unlock after a restart. */
const LOCKED = /-25308|interaction is not allowed/i

/** What AES-GCM says of a value that another key has sealed, as react-native-keychain and Android put it. */
const FOREIGN = /tag verification failed|AEADBadTag/

/**
 * P11: a backup brought the value, and its key stayed on the other device. It is read as one that was written to its end and is
 * not what was written; every other failure stays one, since it may pass.
 */
export function undecryptable(error: unknown): string {
  if (FOREIGN.test(String(error))) return "\n\n"
  throw error
}

interface Written {
  /** The higher one counts. */
  generation: number
  /** The installation that wrote it; none without a fence. */
  install?: string
  /** `null`: nothing was written to its end. */
  text: string | null
}

/**
 * The record in a keychain, such that no crash can tear it: two slots are written in turn, in chunks that fit. A slot ends with
 * its hash, is written from its beginning and cleared from its end. So its chunks always follow on one another, and a slot
 * that is not whole does not count: the other one does.
 *
 * With a `fence` it notices that the app was installed anew over a keychain that outlived it, and that a backup brought a
 * record which this device cannot open: both are told once, and the user logs in again.
 *
 * @param name letters, digits, `.`, `_` and `-`: more is not allowed in every keychain.
 */
export function keychainStorage(
  keychain: KeychainLike,
  name: string,
  crypto: CryptoPort,
  fence: FenceLike | undefined,
): StoragePort {
  let tell = (_: LossReason) => {}
  const fenceKey = `${name}.install`
  let queue: Promise<unknown> = Promise.resolve()

  async function openSlot(key: string) {
    let chunks = 0
    let found = ""
    const next = () => keychain.getItem(`${key}.${chunks}`)
    for (let chunk = await next(); chunk; chunk = await next()) {
      found += chunk
      chunks++
    }
    const [body = "", hash, rest] = found.split("\n")
    const isWhole = hash === (await s256(crypto, body))
    const written: Written = isWhole ? JSON.parse(body) : { generation: 0, text: null }
    return {
      ...written,
      /** Written to its end: if it is not whole, then it is not what was written. */
      isEnded: rest !== undefined,
      async write(text: string) {
        while (chunks > 0) await keychain.removeItem(`${key}.${--chunks}`)
        for (let from = 0; from < text.length; from += LIMIT)
          await keychain.setItem(`${key}.${chunks++}`, text.slice(from, from + LIMIT))
      },
    }
  }

  /** Answers what was there before. */
  async function change(
    decide: (current: string | null) => string | null | undefined,
  ): Promise<string | null> {
    const [a, b] = [await openSlot(`${name}.a`), await openSlot(`${name}.b`)]
    const [newest, other] = a.generation > b.generation ? [a, b] : [b, a]
    let [install = "", holds] = ((await fence?.getItem(fenceKey)) ?? "").split(":")

    async function mark(holdsNow: "" | "1") {
      holds = holdsNow
      await fence?.setItem(fenceKey, `${install}:${holds}`)
    }
    async function remove() {
      if (holds) await mark("")
      // What counts goes last: until then it is there.
      await other.write("")
      await newest.write("")
    }

    let lost: LossReason | undefined
    // P10: the keychain of an app that was removed, or another device's.
    // One from before there was a fence is of no installation, and good.
    if (fence && newest.install && newest.install !== install) lost = "reinstalled"
    // P11: nothing whole, where the fence says that there was a record; or one that is not what was written.
    if (newest.text === null && (holds || a.isEnded || b.isEnded)) lost = "unreadable"
    const text = lost ? null : newest.text
    // Also what a crash has left of a first login, or of a logout.
    if (text === null) await remove()
    if (lost) tell(lost)

    const next = decide(text)
    if (next === null) await remove()
    else if (next !== undefined) {
      if (fence) install ||= randomText(crypto)
      const body = ascii(JSON.stringify({ generation: newest.generation + 1, install, text: next }))
      // The fence first: a record whose installation is not known yet would look like another one's.
      if (!holds) await mark("")
      await other.write(`${body}\n${await s256(crypto, body)}\n`)
      if (!holds) await mark("1")
    }
    return text
  }

  /** One at a time: the app is one process, and its calls cross. */
  function update(decide: Parameters<typeof change>[0]): Promise<string | null> {
    const changed = queue.then(() => change(decide))
    queue = changed.catch(() => {})
    return changed.catch((error: unknown) => {
      throw LOCKED.test(String(error)) ? new PkceError("storage_locked", "storage") : error
    })
  }

  return {
    read: () => update(() => undefined),
    update,
    onLost(listener) {
      tell = listener
    },
  }
}

/** A keychain counts bytes: in JSON every character can be one of ASCII. */
const ascii = (json: string) =>
  json.replace(/[^ -~]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`)

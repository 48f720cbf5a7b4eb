import { hmac } from "#crypto"
import type { KeyRing } from "./types.js"

/**
 * What an event shows in place of a secret: 16 hexadecimal digits of a keyed hash. Two events of one value can be matched
 * by whoever reads them; without the key nobody can test a guess.
 */
export async function fingerprint(ring: KeyRing, value: string): Promise<string> {
  const key = await ring.hmac(await ring.active(), "fingerprint")
  const digest = await hmac(key, value)
  return Array.from(digest.subarray(0, 8), (byte) => byte.toString(16).padStart(2, "0")).join("")
}

/**
 * Where the keys come from that seal what the store keeps of a user: by default the `secrets`, or a key management service
 * (KMS). The session line and the session tokens go on with `secrets`.
 *
 * An envelope scheme fits: `current` gives a random data key, and its `id` is the data key as the KMS wrapped it. Every value
 * is sealed under a key of its own, derived with a fresh salt, so one data key may serve for as long as you like.
 *
 * A call has 1.8 seconds. One that throws, hangs, or gives something else than 32 bytes is an outage of ours: 503, an event
 * `keyring.failed`, and nothing is deleted. `current` is asked once an hour, and the last key seals on for a day where it
 * fails. The keys of the last 1,000 ids stay in memory until the process ends.
 *
 * @example
 * ```ts
 * const keyProvider: KeyProvider = {
 *   current: async () => ({ id: "2027", key: await readKey("2027") }),
 *   find: async (id) => (id === "2026" || id === "2027" ? readKey(id) : "unknown"),
 * }
 * ```
 */
export interface KeyProvider {
  /**
   * The key that seals now. `id` is written, readable, into every value that is sealed with it: 1 to 1,024 characters of
   * printable ASCII without spaces. `key` is 32 bytes. `null` while `secrets` are to seal: on the way here, until every
   * process can open what this provider's keys seal, and on the way back.
   */
  current(): Promise<{ id: string; key: Uint8Array } | null>

  /**
   * The key of an id, 32 bytes. `"unknown"` is an outage of ours (503, nothing is deleted). `"retired"` makes what was sealed
   * with it unreadable for good. An id is what the store has: it may be anything, so let nothing be built from it.
   */
  find(id: string): Promise<Uint8Array | "unknown" | "retired">

  /**
   * For an envelope scheme: the name of the key that wraps the data key of this id. By it values are counted, and found to
   * be old; without it, by the id itself.
   */
  wrappedBy?(id: string): string
}

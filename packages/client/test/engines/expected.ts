import { createHash } from "node:crypto"
import { expect } from "vitest"
import type { Flow } from "./flow.js"

const ME = "GET https://api.example.com/me"
const REFUSED = ["crypto_unavailable", 0, 0]
const s256 = (verifier: string) => createHash("sha256").update(verifier).digest("base64url")

/** Whether `run` of flow.ts told what must be told in every engine. `ways`: by whose SHA-256, each its own login. */
export function expectFlow(text: string, ways: string[]): Flow {
  expect(text).toMatch(/^\{/)
  const flow: Flow = JSON.parse(text)
  expect(Object.keys(flow.told)).toEqual(ways)
  for (const way of ways) {
    const { proofs, requests, ...told } = flow.told[way] as Flow["told"][string]
    expect([way, told]).toEqual([
      way,
      {
        login: "signed_in",
        user: { sub: "u1", name: "Ad\u00e4 \u{1F600}" },
        tokens: ["st.0", "st.1", "st.2", "st.3"],
        offline: ["network", true],
        api: requests.includes(ME) ? 200 : null,
        // Lost once and asked for again; lost four times and asked for again by the next process; not lost.
        repeats: [2, 5, 1],
        left: { session: null, secrets: 0 },
      },
    ])
    const refresh = "POST https://api.example.com/auth/refresh"
    expect(requests.filter((request) => request !== refresh && request !== ME)).toEqual([
      "GET https://api.example.com/auth/config",
      "POST https://api.example.com/auth/exchange",
      "POST https://api.example.com/auth/logout",
    ])
    expect(proofs).toHaveLength(4)
    for (const [verifier, challenge] of proofs) {
      expect(verifier).toMatch(/^[\w-]{43}$/)
      expect(challenge).toBe(s256(verifier))
    }
    expect(new Set(proofs.map(([verifier]) => verifier)).size).toBe(4)
  }
  expect(flow.pair.challenge).toBe(s256(flow.pair.verifier))
  expect(flow.refused).toEqual({
    "no WebCrypto": REFUSED,
    "too few bytes": REFUSED,
    "a module that throws": REFUSED,
  })
  return flow
}

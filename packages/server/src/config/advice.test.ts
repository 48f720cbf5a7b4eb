import { expect, it } from "vitest"
import type { PkceEventInput } from "../events.js"
import type { Fault, Refusal } from "../provider/failures.js"
import { adviseOnce } from "./advice.js"
import { resolveConfig } from "./resolve.js"

function listen() {
  const warnings: string[] = []
  const advise = adviseOnce((warning) => void warnings.push(warning))
  const tell = (event: PkceEventInput) => advise({ at: 0, ...event })
  return { warnings, tell }
}

it.each<[PkceEventInput & { reason?: Fault | Refusal }, string]>([
  [{ type: "auth.request.refused", code: "idp_misconfigured", reason: "issuer_mismatch" }, "last slash"],
  [{ type: "auth.request.refused", code: "exchange_interrupted", reason: "invalid_client" }, "clientSecret"],
  [{ type: "auth.exchange.failed", reason: "invalid_grant" }, "one client id"],
  [{ type: "auth.request.refused", code: "idp_misconfigured", reason: "blocked_address" }, "allowPrivateIdp"],
  [{ type: "auth.request.refused", code: "idp_unavailable", reason: "connect" }, "(connect)"],
  [{ type: "auth.request.refused", code: "redirect_uri_not_allowed" }, "redirectUris"],
  [{ type: "store.failed" }, "the store failed"],
])("%j is explained", (event, text) => {
  const { warnings, tell } = listen()
  tell(event)
  expect(warnings).toHaveLength(1)
  expect(warnings[0]).toContain(text)
})

it("each kind is told once, each reason of a refused login is a kind, and good news is no news", () => {
  const { warnings, tell } = listen()
  for (let i = 0; i < 3; i++) {
    tell({ type: "auth.request.refused", code: "login_failed", reason: "id_token_expired" })
    tell({ type: "auth.request.refused", code: "login_failed", reason: "id_token_aud_mismatch" })
    tell({ type: "auth.request.refused", code: "invalid_token" })
    tell({ type: "auth.exchange.succeeded" })
  }
  expect(warnings.map((warning) => /\((\w+)\)/.exec(warning)?.[1])).toEqual([
    "id_token_expired",
    "id_token_aud_mismatch",
  ])
})

it("speaks where nobody listens to the events, and is silent where somebody does", () => {
  const warnings: string[] = []
  const events: string[] = []
  const good = {
    issuer: "https://tenant.example/",
    clientId: "client",
    redirectUris: ["com.example.app:/cb"],
    secrets: ["k3Jd8sKq0Vn2xPz7bTf5mYw1cRg6hLe9uQwE"],
    allowMemoryStore: true,
    onWarning: (text: string) => void warnings.push(text),
  }
  const failed = { at: 0, type: "store.failed" } as const
  resolveConfig({ ...good, onEvent: ({ type }) => void events.push(type) }, {}).onEvent(failed)
  expect(events).toEqual(["store.failed"])
  expect(warnings.filter((text) => text.includes("failed"))).toEqual([])
  resolveConfig(good, {}).onEvent(failed)
  expect(warnings.filter((text) => text.includes("the store failed"))).toHaveLength(1)
})

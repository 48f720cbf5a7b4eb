import { runInNewContext } from "node:vm"
import { describe, expect, it } from "vitest"
import { MESSAGE } from "./scripts.js"

const ORIGIN = "https://app.example.com"
const message = { type: "pkce", handoff: "h", state: "s", iss: "https://api.example.com/auth" }

type Heard = [who: string, data: unknown, origin?: unknown][]

/** Runs the script in a window that has what is named; what was posted, and to whom. */
function run(has: readonly string[], origin?: string): Heard {
  const heard: Heard = []
  const listener = (who: string) => ({
    postMessage: (...data: unknown[]) => void heard.push([who, ...data] as never),
  })
  const dataset = { message: JSON.stringify(message), ...(origin !== undefined && { origin }) }
  const window: Record<string, unknown> = { document: { currentScript: { dataset } }, opener: null, JSON }
  Object.assign(window, { window, parent: has.includes("parent") ? listener("parent") : window })
  for (const name of ["opener", "ReactNativeWebView", "pkce"])
    if (has.includes(name)) window[name] = listener(name)
  if (has.includes("webkit")) window.webkit = { messageHandlers: { pkce: listener("webkit") } }
  runInNewContext(MESSAGE, window)
  return heard.map(([who, data, ...more]) => [
    who,
    typeof data === "string" ? JSON.parse(data) : { ...(data as object) },
    ...more,
  ]) as Heard
}

const NATIVE = ["ReactNativeWebView", "webkit", "pkce"]

describe("J2, J3: who hears the handoff", () => {
  it.each(["opener", "parent"])("J2: the %s, of the origin that was named and of no other", (who) => {
    expect(run([who, ...NATIVE], ORIGIN)).toEqual([[who, message, ORIGIN]])
  })

  it("J2: where there are both, the opener alone", () => {
    expect(run(["parent", "opener"], ORIGIN)).toEqual([["opener", message, ORIGIN]])
  })

  it("J2: no window where no origin was named", () => {
    expect(run(["opener", "parent"])).toEqual([])
    expect(run(["opener", "parent", "pkce"])).toEqual([["pkce", message]])
  })

  it.each(NATIVE)("J3: the app's own bridge, %s, where there is no window", (who) => {
    for (const origin of [undefined, ORIGIN]) expect(run([who], origin)).toEqual([[who, message]])
  })

  it("J3: one bridge, where there are several", () => {
    expect(run(NATIVE)).toHaveLength(1)
  })
})

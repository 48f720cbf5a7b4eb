import { describe, expect, it, vi } from "vitest"
import { fakeClock } from "../testing/clock.js"
import {
  type AppStateLike,
  type LinkingLike,
  type NativeBrowser,
  nativeApp,
  nativeBrowser,
} from "./native.js"

const URL = "https://id.example.com/authorize"
const CALLBACK = "com.example.app://auth/callback"

/** One run in a browser whose module answers like this. */
async function run(open: NativeBrowser["open"], close: NativeBrowser["close"] = vi.fn(), expects = true) {
  const clock = fakeClock()
  const visit = vi.fn()
  const browser = nativeBrowser({ open, close, visit })
  const started = await browser.start(CALLBACK, clock)
  return { clock, browser, started, close, visit, opened: started.open(URL, () => expects) }
}

describe("a run in a native browser", () => {
  it("ends with the callback that the module gives, and is not closed once more", async () => {
    const { opened, started, close } = await run(async () => ({ type: "success", url: `${CALLBACK}?code=1` }))
    expect(await opened).toEqual({ type: "callback", url: `${CALLBACK}?code=1` })
    await started.close()
    expect(close).not.toHaveBeenCalled()
  })

  it("is cancelled at once where the user has cancelled", async () => {
    const { opened, clock } = await run(async () => ({ type: "cancel" }))
    const start = clock.monotonic()
    expect(await opened).toEqual({ type: "cancelled" })
    expect(clock.monotonic() - start).toBe(0)
  })

  it("P4 waits a second and a half behind an older link, and hands it on then", async () => {
    const { opened, clock } = await run(async () => ({ type: "success", url: CALLBACK }), vi.fn(), false)
    const start = clock.monotonic()
    expect(await opened).toEqual({ type: "callback", url: CALLBACK })
    expect(clock.monotonic() - start).toBe(1500)
  })

  it.each([{ type: "dismiss" }, { type: "success" }])(
    "P1 waits a second and a half for the link after %o",
    async (answer) => {
      const { opened, clock } = await run(async () => answer)
      const start = clock.monotonic()
      expect(await opened).toEqual({ type: "cancelled" })
      expect(clock.monotonic() - start).toBe(1500)
    },
  )

  it("fails with what the module throws, and closes what it may have left open", async () => {
    const { opened, started, close } = await run(() => Promise.reject(new Error("no browser")))
    await expect(opened).rejects.toThrow("no browser")
    await started.close()
    expect(close).toHaveBeenCalledOnce()
  })

  it.each([
    ["throws", () => Promise.reject(new Error("nothing to close"))],
    ["works", async () => {}],
  ])("is closed once, and its closing is no error where that %s", async (_, answer) => {
    const closed = vi.fn()
    const { opened, started } = await run(
      () => new Promise(() => {}),
      () => {
        closed()
        return answer()
      },
    )
    await started.close()
    await started.close()
    expect(await opened).toEqual({ type: "cancelled" })
    expect(closed).toHaveBeenCalledOnce()
  })

  it("shows another page in the module's own way", async () => {
    const { browser, visit } = await run(async () => ({ type: "cancel" }))
    await browser.visit?.(URL)
    expect(visit).toHaveBeenCalledWith(URL)
  })
})

describe("the app itself", () => {
  const linking: LinkingLike = {
    addEventListener: () => ({ remove() {} }),
    getInitialURL: () => Promise.reject(new Error("not linked")),
    openURL: async () => {},
  }

  it("starts although nobody can say which link it was started with", async () => {
    expect(await nativeApp(linking, { addEventListener: () => ({ remove() {} }) }).callbackUrl()).toBeNull()
  })

  it("wakes when it comes to the front, and not when it leaves", () => {
    let change = (_: string) => {}
    const appState: AppStateLike = {
      addEventListener(_, listener) {
        change = listener
        return { remove() {} }
      },
    }
    const woken = vi.fn()
    nativeApp(linking, appState).wakes(woken)
    for (const state of ["inactive", "background"]) change(state)
    expect(woken).not.toHaveBeenCalled()
    change("active")
    expect(woken).toHaveBeenCalledOnce()
  })
})

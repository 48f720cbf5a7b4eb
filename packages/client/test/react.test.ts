import { Window } from "happy-dom"
import * as React from "react"
import { hydrateRoot, type Root } from "react-dom/client"
import { renderToString } from "react-dom/server"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import type { PkceClient } from "../src/client.js"
import { createPkceReact } from "../src/react.js"
import { provider } from "../src/testing/backend.js"
import { fakeDevice, honest, REDIRECT } from "../src/testing/device.js"

const { act, createElement, StrictMode } = React
const { PkceProvider, useLogin, usePkce, useSession } = createPkceReact(React)

let device: ReturnType<typeof fakeDevice>
let auth: PkceClient
let root: Root | undefined
const kept = new Map<string, unknown>()

beforeEach(() => {
  device = fakeDevice({ providers: [provider] })
  auth = device.start()
  const window = new Window()
  const globals = { window, document: window.document, IS_REACT_ACT_ENVIRONMENT: true }
  for (const [name, value] of Object.entries(globals)) {
    kept.set(name, Reflect.get(globalThis, name))
    Object.assign(globalThis, { [name]: value })
  }
})
afterEach(async () => {
  await act(async () => root?.unmount())
  root = undefined
  for (const [name, value] of kept) Object.assign(globalThis, { [name]: value })
})

const states: string[] = []
beforeEach(() => void states.splice(0))
let press: ReturnType<typeof useLogin>["login"]

function View(): React.ReactNode {
  const { status, session } = useSession()
  const { login, isPending, error } = useLogin()
  press = login
  const text = [
    status,
    session?.id ? "user" : "nobody",
    isPending ? "pending" : "idle",
    error?.code ?? "fine",
  ].join(" ")
  states.push(text)
  return text
}
const app = (client: PkceClient) =>
  createElement(StrictMode, null, createElement(PkceProvider, { client }, createElement(View)))

/** A page as a server rendered it, taken over in the browser. */
async function mount(client: PkceClient = auth): Promise<HTMLElement> {
  const page = document.createElement("div") as unknown as HTMLElement
  page.innerHTML = renderToString(app(client))
  await act(async () => {
    root = hydrateRoot(page, app(client), {
      onRecoverableError: (error) => {
        throw error
      },
    })
  })
  await settle()
  return page
}
const settle = () => act(async () => void (await new Promise((resolve) => setTimeout(resolve, 20))))

describe("React 19, in StrictMode", () => {
  it("renders on a server, where nothing is asked of a browser, and is taken over without a difference", async () => {
    expect(renderToString(app(auth))).toBe("loading nobody idle fine")
    expect(device.backend.requests).toEqual([])
    expect((await mount()).textContent).toBe("signed_out nobody idle fine")
    expect(states[0]).toBe("loading nobody idle fine")
  })

  it("P5: a callback that was interrupted is redeemed once, although every effect runs twice", async () => {
    device.answer = async () => ({ type: "left" })
    await auth.login()
    device.callbackUrl = honest(device.backend, device.opened[0] ?? "")
    const page = await mount(device.start())
    expect(page.textContent).toBe("signed_in user idle fine")
    expect(device.backend.to("POST /exchange")).toHaveLength(1)
  })

  it("useLogin logs in, tells that it is at it, and the session appears", async () => {
    const page = await mount()
    let finish = () => {}
    const { answer } = device
    device.answer = async (url, expects) => {
      await new Promise<void>((resolve) => {
        finish = resolve
      })
      return answer(url, expects)
    }
    let result: Promise<unknown> = Promise.resolve()
    await act(async () => {
      result = press()
    })
    await settle()
    expect(page.textContent).toBe("signed_out nobody pending fine")
    finish()
    await settle()
    expect(await result).toMatchObject({ status: "signed_in" })
    expect(page.textContent).toBe("signed_in user idle fine")
  })

  it("useLogin never rejects: an error is a state, gone at the next attempt", async () => {
    const page = await mount()
    const { answer } = device
    device.answer = async (url) => {
      const { searchParams } = new URL(url)
      return {
        type: "callback",
        url: `${REDIRECT}?error=access_denied&state=${searchParams.get("state")}&iss=${encodeURIComponent(provider.issuer)}`,
      }
    }
    await act(async () =>
      expect(await press()).toMatchObject({ status: "failed", error: { code: "access_denied" } }),
    )
    expect(page.textContent).toBe("signed_out nobody idle access_denied")
    device.answer = answer
    await act(async () => void (await press()))
    expect(page.textContent).toBe("signed_in user idle fine")
  })

  it("a logout, here or in another tab, is seen", async () => {
    await auth.login()
    const page = await mount()
    expect(page.textContent).toBe("signed_in user idle fine")
    await act(async () => {
      await device.start().restore()
    })
    const other = device.start()
    await other.restore()
    await act(async () => void (await other.logout()))
    await settle()
    expect(page.textContent).toBe("signed_out nobody idle fine")
  })

  it("a storage that cannot be read is no logout, and the next mount tries again", async () => {
    await auth.login()
    device.storage.failing = true
    const later = device.start()
    const page = await mount(later)
    expect(page.textContent).toContain("failed nobody")
    device.storage.failing = false
    await act(async () => root?.unmount())
    expect((await mount(later)).textContent).toBe("signed_in user idle fine")
  })

  it("nor is it one when an event comes", async () => {
    await auth.login()
    device.answer = async () => ({ type: "cancelled" })
    await auth.login()
    device.storage.locked = true
    const page = await mount(device.start())
    expect(page.textContent).toContain("failed nobody")
    await act(async () => device.link(honest(device.backend, device.opened.at(-1) ?? "")))
    await settle()
    expect(page.textContent).toContain("failed nobody")
  })

  it("a hook without its provider says so", () => {
    const Alone = () => usePkce() && null
    expect(() => renderToString(createElement(Alone))).toThrow("<PkceProvider>")
  })
})

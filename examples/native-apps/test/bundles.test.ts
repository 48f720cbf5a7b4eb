import { expect, it } from "vitest"
import { bundle } from "./support/bundle.js"

const client = (input: string) => /node_modules\/@pkce\/client\/dist\/([\w-]+)\.js$/.exec(input)?.[1]

it.each([
  ["react-native/src/index.ts", "neutral", ["react-native"], ["react-native", "react-native-keychain"]],
  ["capacitor/src/main.ts", "neutral", ["capacitor", "web"], ["@capacitor/app", "@capacitor/browser"]],
  ["electron/src/main.ts", "node", ["electron"], ["electron"]],
] as const)(
  "%s: our client and its own source, and the native modules left to the device",
  async (entry, platform, adapters, natives) => {
    const { code, inputs, imports } = await bundle(entry, platform)
    const names = inputs.map(client)
    const entries = ["web", "web-popup", "cli", "expo", "react-native", "capacitor", "electron"]
    expect(names.filter((name) => name && entries.includes(name)).sort()).toEqual([...adapters].sort())
    expect(code).toContain("session_challenge")
    expect(imports).toEqual(expect.arrayContaining([...natives]))
    // Nothing but the client and the example: no dependency came along, and nothing of the backend.
    const foreign = inputs.filter((input) => !client(input) && !/chunk-\w+\.js$/.test(input))
    expect(
      foreign.filter((input) => !input.startsWith(`examples/native-apps/${entry.split("/")[0]}/src/`)),
    ).toEqual([])
    expect(code).not.toMatch(/client_secret|@pkce\/server/)
  },
)

it.each(["preload", "page"])(
  "electron/src/%s.ts: the page's side holds nothing of the client, and no token",
  async (name) => {
    const { inputs, code } = await bundle(`electron/src/${name}.ts`, "neutral")
    expect(inputs.every((input) => input.startsWith("examples/native-apps/electron/src/"))).toBe(true)
    expect(code).not.toMatch(/token|auth\//i)
  },
)

import { readFileSync } from "node:fs"
import { describe, expect, it } from "vitest"

const dist = new URL("../dist/", import.meta.url)
const read = (path: string) => readFileSync(new URL(path, dist))

interface Exported {
  bundle: Buffer
  /** The files that it was made of. */
  sources: string[]
}

/** The bundle of a platform, and its source map. */
function exported(platform: "ios" | "android" | "web"): Exported {
  const { fileMetadata } = JSON.parse(read("metadata.json").toString())
  const [, webBundle = ""] = /src="\/(_expo\/[^"]+\.js)"/.exec(read("index.html").toString()) ?? []
  const path: string = platform === "web" ? webBundle : fileMetadata[platform].bundle
  const { sources } = JSON.parse(read(`${path}.map`).toString())
  return { bundle: read(path), sources }
}

describe.each([
  ["ios", "expo", "web"],
  ["android", "expo", "web"],
  ["web", "web", "expo"],
] as const)("the export for %s", (platform, own, other) => {
  const { bundle, sources } = exported(platform)
  const ours = sources.flatMap((source) => /@pkce\/client\/dist\/(.+)\.js$/.exec(source)?.[1] ?? [])

  it(`holds our client with the platform ${own}, and not ${other}`, () => {
    expect(ours).toEqual(expect.arrayContaining(["index", "react", own]))
    expect(ours).not.toContain(other)
    for (const text of ["code_challenge", "session_challenge", "state_mismatch"])
      expect(bundle.includes(text)).toBe(true)
  })

  it("holds nothing of the backend and no client secret", () => {
    expect(sources.filter((source) => /@pkce\/server|packages\/|\/(jose|undici|zod)\//.test(source))).toEqual(
      [],
    )
    expect(bundle.includes("client_secret")).toBe(false)
    expect(bundle.includes("@pkce/server")).toBe(false)
  })

  it("is made of this app's own installation, with one React", () => {
    const rest = sources.filter((source) => source.startsWith("/") && !source.startsWith("/node_modules/"))
    const platformFile = platform === "web" ? "/src/platform.web.ts" : "/src/platform.ts"
    const files = ["/src/App.tsx", "/src/Home.tsx", "/src/auth.ts", "/src/index.ts", "/src/parts.tsx"]
    expect(rest.sort()).toEqual([...files, platformFile])
    expect(sources.filter((source) => source.endsWith("/node_modules/react/index.js"))).toHaveLength(1)
  })
})

it.each(["ios", "android"] as const)("the export for %s is bytecode for Hermes", (platform) => {
  // The number that every Hermes bytecode file begins with.
  expect(exported(platform).bundle.readBigUInt64LE()).toBe(0x1f1903c103bc1fc6n)
})

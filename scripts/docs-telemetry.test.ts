import { readFileSync } from "node:fs"
import { join } from "node:path"
import { expect, it } from "vitest"
import {
  ATTRIBUTES,
  COUNTERS,
  HISTOGRAMS,
  HOSTED_STEPS,
  SPANS,
} from "../packages/server/src/telemetry/names.js"
import { cells, pages, root } from "./docs/markdown.js"

const found = pages().find(({ path }) => path === "docs/telemetry.md")
if (!found) throw new Error("no docs/telemetry.md")
const page = found

const sorted = (names: Iterable<string>) => [...names].sort()

/** Each event of `src/events.ts` with the members that it alone has. */
function typedEvents(): Record<string, string[]> {
  const source = readFileSync(join(root, "packages/server/src/events.ts"), "utf8")
  const types = [...source.matchAll(/\btype: "([^"]+)"([^}]*)\}/g)]
  return Object.fromEntries(
    types.map(([, type = "", rest = ""]) => [
      type,
      sorted([...rest.matchAll(/(\w+)\??:/g)].map(([, name]) => name ?? "")),
    ]),
  )
}

function documentedEvents(): [string, string[]][] {
  const [, below = ""] = page.text.split("\n### Every event\n")
  return [...below.matchAll(/^\| `([^`]+)` \|[^|]*\|([^|]*)\|$/gm)].map(([, type = "", members = ""]) => [
    type,
    sorted([...members.matchAll(/`(\w+)`/g)].map(([, name]) => name ?? "")),
  ])
}

it("docs/telemetry.md has every event with its members, and no other", () => {
  const documented = documentedEvents()
  expect(documented.length).toBeGreaterThan(20)
  expect(sorted(documented.map(([type]) => type))).toEqual(sorted(Object.keys(typedEvents())))
  expect(Object.fromEntries(documented)).toEqual(typedEvents())
})

it("docs/telemetry.md has every member that all events may have", () => {
  const source = readFileSync(join(root, "packages/server/src/events.ts"), "utf8")
  const [, common = ""] = /export type PkceEvent = \{([\s\S]*?)\n\}/.exec(source) ?? []
  const members = [...common.matchAll(/^ {2}(\w+)\??:/gm)].map(([, name]) => name ?? "")
  expect(sorted([...cells(page, 0, "## The audit log")].filter((name) => members.includes(name)))).toEqual(
    sorted(members.filter((name) => name !== "at")),
  )
})

it("docs/telemetry.md has every span, attribute and metric, and no other", () => {
  const { exchange, refresh, hosted, store } = SPANS
  const steps = HOSTED_STEPS.map((step) => `${hosted}.${step}`)
  const spans = [exchange, refresh, ...steps, `${store} <operation>`, "GET", "POST"]
  const [above = ""] = page.text.split("\n### Attributes\n")
  expect(sorted(cells({ ...page, text: above }, 0, "## Spans"))).toEqual(sorted(spans))
  expect(sorted(cells(page, 0, "### Attributes"))).toEqual(sorted(Object.values(ATTRIBUTES)))
  const metrics = { ...COUNTERS, ...HISTOGRAMS }
  expect(sorted(cells(page, 0, "## Metrics"))).toEqual(sorted(Object.keys(metrics)))
})

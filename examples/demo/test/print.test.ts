import type { Step } from "@pkce-examples/flow"
import { expect, it } from "vitest"
import { createPrinter } from "../src/print.js"

const step: Step = {
  at: 0,
  chapter: "login",
  number: 6,
  from: "backend",
  to: "provider",
  title: "The backend redeems the code",
  carries: [{ name: "code", value: "abc…" }],
  checks: [
    { text: "one = one", ok: true },
    { text: "one = two", ok: false },
  ],
}

function printed(isTTY: boolean, environment: { NO_COLOR?: string }, what: Step = step) {
  let text = ""
  const printer = createPrinter({ isTTY, write: (part) => (text += part) }, environment)
  printer.heading()
  printer.step(what)
  return text
}
const escapes = (text: string) => text.includes("\x1b[")

it("has colour on a terminal, and nowhere else", () => {
  expect(escapes(printed(true, {}))).toBe(true)
  expect(escapes(printed(false, {}))).toBe(false)
  expect(escapes(printed(true, { NO_COLOR: "1" }))).toBe(false)
  expect(escapes(printed(true, { NO_COLOR: "" }))).toBe(true)
})

it("draws the arrow from lane to lane, and says what held and what did not", () => {
  const lines = printed(false, {}).split("\n")
  const heading = lines[0] ?? ""
  const arrow = lines.find((line) => line.includes("◀")) ?? ""
  const under = (name: string) => heading.indexOf(name) + Math.floor(name.length / 2)
  expect(arrow.indexOf("◀")).toBe(under("Provider"))
  expect(arrow.indexOf("●")).toBe(under("Backend"))
  expect(arrow.indexOf("│")).toBe(under("App"))
  expect(arrow.startsWith(" 6")).toBe(true)
  expect(lines).toContain("     ✓ one = one")
  expect(lines).toContain("     ✗ one = two")
})

it("keeps to 80 columns", () => {
  const carries = Array.from({ length: 12 }, (_, i) => ({ name: `parameter_${i}`, value: "abc…" }))
  const lines = printed(false, {}, { ...step, carries }).split("\n")
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(81)
  expect(lines.join(" ")).toContain("parameter_11 abc…")
})

import { beforeAll, expect, it } from "vitest"
import { startServer } from "../support/server.js"
import { answerChecker, type Document, documentOf } from "./checker.js"

let document: Document
beforeAll(async () => {
  const fixture = await startServer()
  document = await documentOf(fixture.auth)
  await fixture.close()
})

const good = {
  "Content-Type": "application/json",
  "Pkce-Protocol": "1",
  "Cache-Control": "no-store",
}
const body = JSON.stringify({ protocol: 1, providers: [], hosted: [] })
const refusal = (error: string) => JSON.stringify({ error, error_id: "0".repeat(16), retryable: false })
const check = (answer: object) => () =>
  answerChecker(document).check("GET", "/config", { status: 200, headers: good, body, ...answer })

it.each([
  ["another status", { status: 201 }, "not in the document"],
  ["a missing header", { headers: { ...good, "Pkce-Protocol": undefined } }, "Pkce-Protocol"],
  ["another value of a header", { headers: { ...good, "Cache-Control": "public" } }, "must be equal"],
  ["a header that is not documented", { headers: { ...good, Location: "/" } }, "Location"],
  ["another type", { headers: { ...good, "Content-Type": "text/html" } }, "text/html"],
  ["a member too many", { body: body.replace("{", '{"extra":1,') }, "must NOT have additional"],
  ["a member too few", { body: "{}" }, "must have required property"],
  ["a code of another status", { status: 400, body: refusal("invalid_token") }, "must be equal"],
])("sees %s", (_, answer, complaint) => {
  let thrown: unknown
  try {
    check(answer)()
  } catch (error) {
    thrown = error
  }
  // An assertion's, with what it compared; not that of a broken check.
  expect(JSON.stringify([thrown, String(thrown)])).toContain(complaint)
  expect(thrown).toHaveProperty("actual")
})

it("takes what is right", () => {
  check({})()
  check({ status: 400, body: refusal("invalid_request") })()
})

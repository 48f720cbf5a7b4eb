import { expect, it, vi } from "vitest"
import { diagnose } from "../src/diagnose.js"
import { hosted, messageWindow, webView } from "../src/hosted.js"
import { answer, refusal } from "../src/testing/answers.js"
import { type Fault, provider } from "../src/testing/backend.js"
import { fakeDevice, REDIRECT } from "../src/testing/device.js"

const names = ["random", "browser", "storage", "server", "redirect", "session"]
const optionsOf = (device: ReturnType<typeof fakeDevice>) => ({
  server: "https://api.example.com/auth",
  redirectUri: REDIRECT,
  platform: device.platform(),
})
const failing = async (device: ReturnType<typeof fakeDevice>, more = {}) => {
  const { ok, checks, text } = await diagnose({ ...optionsOf(device), ...more })
  const bad = checks.filter((check) => !check.ok)
  expect(ok).toBe(bad.length === 0)
  for (const { detail } of checks) expect(text).toContain(detail)
  return bad.map(({ name, detail }) => `${name}: ${detail}`)
}

it("says that all is well, before and after a login, and changes nothing", async () => {
  const device = fakeDevice()
  const app = device.start()
  expect((await diagnose(optionsOf(device))).checks.map(({ name }) => name)).toEqual(names)
  expect(await failing(device)).toEqual([])
  expect(device.storage.text()).toBeNull()
  await app.login()
  const before = device.storage.text()
  expect(await failing(device)).toEqual([])
  expect(device.storage.text()).toBe(before)
  expect(app.session).not.toBeNull()
})

it("shows no secret, and nothing of the user", async () => {
  const device = fakeDevice()
  const app = device.start()
  await app.login()
  const { text } = await diagnose(optionsOf(device))
  const record = JSON.parse(device.storage.text() ?? "{}")
  for (const secret of [record.session.refreshToken, record.session.verifier, record.session.token.value])
    expect(text).not.toContain(secret)
})

it("finds a redirect URI that the backend does not know, without calling the provider", async () => {
  const device = fakeDevice()
  const refuse = (seen: { route: string }) =>
    seen.route === "POST /exchange" ? refusal(400, "redirect_uri_not_allowed") : undefined
  device.backend.faults.push(refuse, refuse, refuse, refuse)
  expect(await failing(device)).toEqual([
    `redirect: ${REDIRECT} is not in the backend's redirectUris, byte for byte`,
  ])
  const [sent] = device.backend.to("POST /exchange")
  expect(sent?.body).toMatchObject({ provider: provider.id, iss: "https://diagnose.invalid" })
})

it("finds a provider that the backend does not have, and names those that it has", async () => {
  expect(await failing(fakeDevice(), { provider: "auht0" })).toContain(
    `server: it has no provider "auht0"; it has ${provider.id}`,
  )
  expect(await failing(fakeDevice(), { provider: provider.id })).toEqual([])
})

const by = (flow: ReturnType<typeof hosted>) => ({ flow, redirectUri: {} })
const bridge = messageWindow(() => null)
const own = webView({ open: () => () => {} })

it.each([
  ["redirect", { flow: hosted() }, `by ${REDIRECT}`, { redirect_uri: REDIRECT }],
  ["poll", by(hosted({ delivery: "poll" })), "by poll", {}],
  ["poll, with a redirect URI that it does not need", { flow: hosted({ delivery: "poll" }) }, "by poll", {}],
  ["a web view", by(hosted({ bridge: own })), "by its pages' messages", {}],
  ["a window", by(hosted({ bridge })), "by its pages' messages", { redirect_uri: "https://app.example.com" }],
])("hosted login by %s: asks by a start that nobody goes on with", async (_, more, how, target) => {
  vi.stubGlobal("location", { origin: "https://app.example.com" })
  const device = fakeDevice()
  const { ok, checks } = await diagnose({ ...optionsOf(device), ...more })
  vi.unstubAllGlobals()
  expect(ok).toBe(true)
  expect(checks.filter(({ name }) => /hosted|redirect/.test(name))).toEqual([
    { name: "hosted", ok: true, detail: `the backend hosts the login, ${how}` },
  ])
  const [start, ...again] = device.backend.to("POST /start")
  expect(again).toEqual([])
  expect(start?.body).toMatchObject(target)
  expect("redirect_uri" in (start?.body ?? {})).toBe("redirect_uri" in target)
  expect(device.backend.to("POST /exchange")).toEqual([])
  expect(device.storage.text()).toBeNull()
  expect([device.opened, device.visited]).toEqual([[], []])
})

it("finds why a hosted login would not begin", async () => {
  const device = fakeDevice()
  const refuse = (status: number, code: string) => (seen: { route: string }) =>
    seen.route === "POST /start" ? refusal(status, code) : undefined
  const found = async (fault: Fault | null, more: object = { flow: hosted() }) => {
    // Of four requests it is one.
    device.backend.faults.splice(0)
    if (fault) device.backend.faults.push(fault, fault, fault)
    return failing(device, more)
  }
  expect(await found(refuse(404, "not_found"))).toEqual([
    `hosted: by ${REDIRECT}: not_found; the backend hosts no login; see its option \`hosted\``,
  ])
  expect(await found(refuse(400, "redirect_uri_not_allowed"))).toEqual([
    `hosted: by ${REDIRECT}: redirect_uri_not_allowed; it is not in the backend's redirectUris, byte for byte`,
  ])
  const origin = () => "https://app.example.com"
  const platform = { ...device.platform(), origin }
  expect(
    await found(refuse(400, "redirect_uri_not_allowed"), { ...by(hosted({ bridge })), platform }),
  ).toEqual([
    "hosted: by its pages' messages: redirect_uri_not_allowed; https://app.example.com is not in the backend's hosted.origins",
  ])
  device.backend.settings.hosted = ["redirect"]
  expect(await found(null, by(hosted({ delivery: "poll" })))).toEqual([
    "hosted: by poll: invalid_request; the backend does not offer this delivery, or has several providers and none is named",
  ])
  const elsewhere = (seen: { route: string }) =>
    seen.route === "POST /start"
      ? answer(200, { login_id: "x", authorize_url: "https://other.example/login/x", poll_interval: 2 })
      : undefined
  expect(await found(elsewhere)).toEqual([
    `hosted: by ${REDIRECT}: issuer_mismatch; the backend's \`url\` is at another origin than this client's \`server\``,
  ])
})

it("finds that a redirect URI is missing where one is needed", async () => {
  const missing = ["redirect: none is configured, and this login needs one"]
  expect(await failing(fakeDevice(), { redirectUri: undefined })).toEqual(missing)
  expect(await failing(fakeDevice(), by(hosted()))).toEqual(missing)
})

it("finds a backend that is away, and one that is something else", async () => {
  const device = fakeDevice()
  device.backend.settings.whileDown = true
  expect((await failing(device)).map((text) => text.split(":")[0])).toEqual(["server", "redirect"])
  device.backend.settings.whileDown = false
  device.backend.faults.push(answer(200, { protocol: 2, providers: [] }))
  expect(await failing(device)).toEqual(["server: it speaks version 2"])
})

it("finds a storage that fails, and says nothing of what it threw", async () => {
  const device = fakeDevice()
  device.storage.failing = true
  expect(await failing(device)).toEqual(["storage: it threw", "session: storage_unavailable"])
})

it("A1: finds a generator that gives the same twice, and a wrong SHA-256", async () => {
  const device = fakeDevice()
  const platform = device.platform()
  const same = { randomBytes: (length: number) => new Uint8Array(length), sha256: () => new Uint8Array(32) }
  expect((await failing(device, { platform: { ...platform, crypto: same } }))[0]).toBe(
    "random: it gives the same twice",
  )
  const real = platform.crypto?.randomBytes ?? (() => new Uint8Array())
  const wrong = { randomBytes: real, sha256: () => new Uint8Array(32) }
  expect((await failing(device, { platform: { ...platform, crypto: wrong } }))[0]).toBe(
    "random: SHA-256 is wrong",
  )
})

it("finds a session that the backend has ended", async () => {
  const device = fakeDevice()
  const app = device.start()
  await app.login()
  const ended = (seen: { route: string }) =>
    seen.route === "GET /session" ? refusal(401, "session_revoked") : undefined
  device.backend.faults.push(ended, ended, ended, ended)
  expect((await diagnose(optionsOf(device))).checks.at(-1)).toEqual({
    name: "session",
    ok: false,
    detail: "the backend says session_revoked",
  })
})

it("advises a scheme in reverse-domain form", async () => {
  const device = fakeDevice()
  const { text } = await diagnose({ ...optionsOf(device), redirectUri: "myapp://callback" })
  expect(text).toContain("its scheme has no dot")
})

import { afterEach, describe, expect, it, vi } from "vitest"
import { diagnose } from "../diagnose.js"
import { provider } from "../testing/backend.js"
import { codeOf, fakeDevice, REDIRECT } from "../testing/device.js"
import { isEmbedded } from "./embedded.js"
import { refuseEmbedded, web } from "./web.js"

afterEach(() => vi.unstubAllGlobals())

const KHTML = "(KHTML, like Gecko)"
const IPHONE = `Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 ${KHTML}`
const ANDROID = `Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 ${KHTML}`
const WINDOWS = `Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 ${KHTML}`

const BROWSERS: [name: string, userAgent: string][] = [
  ["Chrome on Windows", `${WINDOWS} Chrome/131.0.0.0 Safari/537.36`],
  ["Edge on Windows", `${WINDOWS} Chrome/131.0.0.0 Safari/537.36 Edg/131.0.0.0`],
  ["Opera on Windows", `${WINDOWS} Chrome/130.0.0.0 Safari/537.36 OPR/115.0.0.0`],
  ["Vivaldi on Windows", `${WINDOWS} Chrome/130.0.0.0 Safari/537.36 Vivaldi/7.0.3495.18`],
  ["Firefox on Windows", "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:133.0) Gecko/20100101 Firefox/133.0"],
  ["Firefox on Linux", "Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0"],
  [
    "Chromium on Linux",
    `Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 ${KHTML} Chrome/131.0.0.0 Safari/537.36`,
  ],
  [
    "Chrome without a screen",
    `Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 ${KHTML} HeadlessChrome/131.0.0.0 Safari/537.36`,
  ],
  [
    "Chrome OS",
    `Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 ${KHTML} Chrome/131.0.0.0 Safari/537.36`,
  ],
  [
    "Safari on macOS, and on an iPad as a desktop",
    `Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 ${KHTML} Version/18.1 Safari/605.1.15`,
  ],
  [
    "Chrome on macOS",
    `Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 ${KHTML} Chrome/131.0.0.0 Safari/537.36`,
  ],
  ["Safari on iPhone, and SFSafariViewController", `${IPHONE} Version/18.1 Mobile/15E148 Safari/604.1`],
  [
    "Safari on iPad",
    `Mozilla/5.0 (iPad; CPU OS 16_7 like Mac OS X) AppleWebKit/605.1.15 ${KHTML} Version/16.6 Mobile/15E148 Safari/604.1`,
  ],
  ["Chrome on iPhone", `${IPHONE} CriOS/131.0.6778.73 Mobile/15E148 Safari/604.1`],
  ["Firefox on iPhone", `${IPHONE} FxiOS/133.0 Mobile/15E148 Safari/605.1.15`],
  ["Edge on iPhone", `${IPHONE} Version/18.0 EdgiOS/131.0.2903.68 Mobile/15E148 Safari/604.1`],
  ["DuckDuckGo on iPhone", `${IPHONE} Version/18.1 Mobile/15E148 DuckDuckGo/7 Safari/605.1.15`],
  ["Opera Touch on iPhone", `${IPHONE} Version/18.1 Mobile/15E148 Safari/604.1 OPT/5.1.0`],
  ["Chrome on Android, and a custom tab", `${ANDROID} Chrome/131.0.0.0 Mobile Safari/537.36`],
  ["Samsung Internet", `${ANDROID} SamsungBrowser/27.0 Chrome/125.0.0.0 Mobile Safari/537.36`],
  ["Edge on Android", `${ANDROID} Chrome/131.0.0.0 Mobile Safari/537.36 EdgA/131.0.0.0`],
  ["Firefox on Android", "Mozilla/5.0 (Android 15; Mobile; rv:133.0) Gecko/133.0 Firefox/133.0"],
  [
    "Xiaomi's browser, which looks like an older web view",
    `Mozilla/5.0 (Linux; U; Android 13; en-us; 2201117TG Build/TKQ1) AppleWebKit/537.36 ${KHTML} Version/4.0 Chrome/112.0.5615.136 Mobile Safari/537.36 XiaoMi/MiuiBrowser/14.13.0-gn`,
  ],
  [
    "Silk on a Fire tablet",
    `Mozilla/5.0 (Linux; Android 9; KFMAWI) AppleWebKit/537.36 ${KHTML} Silk/120.4.1 like Chrome/120.0.0.0 Safari/537.36`,
  ],
  [
    "UC Browser",
    `Mozilla/5.0 (Linux; U; Android 12; en-US; M2007J3SG) AppleWebKit/537.36 ${KHTML} Version/4.0 Chrome/100.0.4896.58 UCBrowser/13.7.2.1636 Mobile Safari/537.36`,
  ],
]

const VIEWS: [name: string, userAgent: string][] = [
  [
    "an Android app's web view",
    `Mozilla/5.0 (Linux; Android 14; Pixel 8 Build/UQ1A.240205.004; wv) AppleWebKit/537.36 ${KHTML} Version/4.0 Chrome/121.0.6167.178 Mobile Safari/537.36`,
  ],
  ["an iPhone app's web view", `${IPHONE} Mobile/15E148`],
  [
    "an iPad app's web view",
    `Mozilla/5.0 (iPad; CPU OS 16_7 like Mac OS X) AppleWebKit/605.1.15 ${KHTML} Mobile/15E148`,
  ],
  [
    "Electron's window",
    `Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 ${KHTML} example/1.0.0 Chrome/130.0.6723.118 Electron/33.2.0 Safari/537.36`,
  ],
  ["Facebook on iPhone", `${IPHONE} Mobile/15E148 [FBAN/FBIOS;FBAV/490.0.0.40.105;FBDV/iPhone15,2]`],
  [
    "Facebook on Android",
    `${ANDROID} Version/4.0 Chrome/131.0.0.0 Mobile Safari/537.36 [FB_IAB/FB4A;FBAV/490.0.0.50.82;]`,
  ],
  ["Instagram on iPhone", `${IPHONE} Mobile/22B83 Instagram 357.0.0.27.100 (iPhone15,2; iOS 18_1; en_US)`],
  [
    "Instagram on Android",
    `${ANDROID} Version/4.0 Chrome/131.0.0.0 Mobile Safari/537.36 Instagram 357.1.0.52.100 Android`,
  ],
  ["LINE", `${ANDROID} Version/4.0 Chrome/131.0.0.0 Mobile Safari/537.36 Line/14.19.0/IAB`],
  [
    "WeChat",
    `${ANDROID} Version/4.0 Chrome/131.0.0.0 Mobile Safari/537.36 MicroMessenger/8.0.53.2740(0x2800353F) NetType/WIFI`,
  ],
  ["TikTok", `${ANDROID} Version/4.0 Chrome/131.0.0.0 Mobile Safari/537.36 musical_ly_2023700040`],
  ["Lemon8", `${ANDROID} Version/4.0 Chrome/131.0.0.0 Mobile Safari/537.36 BytedanceWebview/d8a21c6`],
  ["Snapchat", `${IPHONE} Mobile/15E148 Safari/604.1 Snapchat/13.17.0.41 (like Safari/8619.2.8)`],
  ["LinkedIn", `${ANDROID} Version/4.0 Chrome/131.0.0.0 Mobile Safari/537.36 [LinkedInApp]/4.1.1010`],
]

describe("P16 a page in a web view inside an app", () => {
  it.each(BROWSERS)("is not %s", (_, userAgent) => {
    expect(isEmbedded(userAgent, false)).toBe(false)
  })

  it.each(VIEWS)("is %s", (_, userAgent) => {
    expect(isEmbedded(userAgent, false)).toBe(true)
  })

  it("is not an app on an iPhone's home screen, whose user agent is that of a web view", () => {
    const [, view = ""] = VIEWS[1] ?? []
    vi.stubGlobal("navigator", { userAgent: view, standalone: true })
    expect(isEmbedded()).toBe(false)
    vi.stubGlobal("navigator", { userAgent: view, standalone: false })
    expect(isEmbedded()).toBe(true)
  })

  it("is nothing that is no page", () => {
    vi.stubGlobal("navigator", undefined)
    expect(isEmbedded()).toBe(false)
  })
})

describe("A6 P16 refuseEmbedded", () => {
  const [, view = ""] = VIEWS[0] ?? []
  const [, browser = ""] = BROWSERS[0] ?? []

  it("begins no login there: nothing is opened or stored, and the session that is there stays", async () => {
    const device = fakeDevice({ providers: [provider] })
    await device.start().login()
    const before = device.storage.text()
    const app = device.start({ platform: refuseEmbedded(device.platform()) })
    vi.stubGlobal("navigator", { userAgent: view })
    expect(await app.login().catch((error) => error)).toMatchObject({
      code: "embedded_user_agent",
      phase: "start",
      retryable: false,
    })
    expect(device.opened).toHaveLength(1)
    expect(device.storage.text()).toBe(before)
    expect((await app.restore()).session).not.toBeNull()
    expect(await app.getSessionToken()).toMatch(/^st\./)
  })

  it("changes nothing elsewhere", async () => {
    const device = fakeDevice({ providers: [provider] })
    const app = device.start({ platform: refuseEmbedded(device.platform()) })
    vi.stubGlobal("navigator", { userAgent: browser })
    expect(await app.login()).toMatchObject({ status: "signed_in" })
  })

  it("is put around the browser's platform, whose page then does not leave", async () => {
    const left: string[] = []
    const device = fakeDevice({ providers: [provider] })
    const { storage, clock, crypto, http } = device.platform()
    const parts = { storage, ...(clock && { clock }), ...(crypto && { crypto }), ...(http && { http }) }
    const app = device.start({ platform: { ...refuseEmbedded(web()), ...parts } })
    vi.stubGlobal("location", { assign: (url: string) => left.push(url) })
    vi.stubGlobal("navigator", { userAgent: view })
    expect(await codeOf(app.login())).toBe("embedded_user_agent")
    expect(left).toEqual([])
    vi.stubGlobal("navigator", { userAgent: browser })
    expect(await app.login()).toEqual({ status: "left" })
    expect(left).toHaveLength(1)
  })

  it("diagnose finds it on the web, and not where the system's browser is opened", async () => {
    const device = fakeDevice()
    const check = async (name: string) => {
      const platform = { ...device.platform(), name }
      const options = { server: "https://api.example.com/auth", redirectUri: REDIRECT, platform }
      return (await diagnose(options)).checks.find((one) => one.name === "browser")
    }
    vi.stubGlobal("navigator", { userAgent: view })
    expect(await check("web")).toMatchObject({ ok: false })
    expect(await check("capacitor")).toMatchObject({ ok: true })
    vi.stubGlobal("navigator", { userAgent: browser })
    expect(await check("web")).toMatchObject({ ok: true })
  })
})

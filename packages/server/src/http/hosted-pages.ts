import { toBase64url } from "@pkce/protocol"
import { randomBytes } from "#crypto"
import type { HostedConfig } from "../config/config.js"
import type { Emit } from "../events.js"
import { chooseStrings } from "../hosted/language.js"
import { type PageView, renderPage } from "../hosted/page.js"
import { isLoopback, returnUrl } from "../hosted/return-url.js"
import { html } from "./answer.js"
import { asPkceError, emitRefusal } from "./errors.js"
import type { HttpAnswer, HttpRequest } from "./message.js"
import type { Leg } from "./use-cases/hosted-browser.js"

/** Shows a person what a hosted login has come to. */
export function createHostedPages(hosted: HostedConfig, emit: Emit) {
  function page(
    request: HttpRequest,
    status: number,
    view: PageView,
    { uiLocales, headers }: { uiLocales?: string | undefined; headers?: Record<string, string> } = {},
  ): HttpAnswer {
    const words = chooseStrings(hosted.strings, [uiLocales, request.header("accept-language")])
    const { name, color } = hosted
    const nonce = toBase64url(randomBytes(16))
    const rendered = renderPage(view, { name, color, nonce, ...words })
    return html(status, rendered.html, { ...rendered.headers, ...headers })
  }

  /** What the leg says, as a page or a redirect. `headers` sets the flow cookie. */
  function show(request: HttpRequest, leg: Leg, headers: Record<string, string> = {}): HttpAnswer {
    const { login } = leg
    const more = { uiLocales: login.uiLocales, headers }
    if (leg.leg === "confirm") {
      const { provider, code, token } = leg
      const device = login.device.name ?? login.device.model ?? null
      const view = { view: "confirm", device, provider, code, action: "", token } as const
      return page(request, 200, view, more)
    }
    if (leg.leg === "provider") {
      const view = { view: "leaving", provider: leg.provider, target: leg.url } as const
      // After the click the page itself goes on: a browser holds every redirect behind a form against the form's policy (J5),
      // and nobody knows where a provider redirects to.
      return request.method === "POST"
        ? page(request, 200, view, more)
        : page(request, 303, view, { ...more, headers: { ...headers, Location: leg.url } })
    }
    return showBack(request, leg, more)
  }

  function showBack(
    request: HttpRequest,
    { login, answer, errorId }: Extract<Leg, { leg: "back" }>,
    more: { uiLocales: string | undefined; headers: Record<string, string> },
  ): HttpAnswer {
    const { delivery, redirectUri } = login
    const failed = "error" in answer
    const text = failed && answer.error === "access_denied" ? "deniedText" : "failedText"
    if (delivery === "webview") {
      const message = { type: "pkce", ...answer } as const
      return page(request, 200, { view: "message", message, origin: redirectUri, failed }, more)
    }
    if (delivery === "poll" || redirectUri === null) {
      return page(
        request,
        200,
        failed ? { view: "failed", text, errorId: errorId ?? null } : { view: "done" },
        more,
      )
    }
    const target = returnUrl(redirectUri, answer)
    const view: PageView = failed
      ? { view: "failed", text, errorId: errorId ?? null, target }
      : { view: "return", target }
    return isLoopback(redirectUri)
      ? page(request, 303, view, { ...more, headers: { ...more.headers, Location: target } })
      : page(request, 200, view, more)
  }

  /** What went wrong, under the id that the event bears. */
  function fail(request: HttpRequest, thrown: unknown): HttpAnswer {
    const error = asPkceError(thrown)
    emitRefusal(emit, error)
    const text =
      error.code === "login_expired" ? "expiredText" : error.retryable ? "unavailableText" : "failedText"
    return page(request, error.status, { view: "failed", text, errorId: error.errorId })
  }

  return {
    /** Runs a leg, and shows it or what it threw. */
    async answer(
      request: HttpRequest,
      run: () => Promise<{ leg: Leg; headers?: Record<string, string> }>,
    ): Promise<HttpAnswer> {
      try {
        const { leg, headers } = await run()
        return show(request, leg, headers)
      } catch (thrown) {
        return fail(request, thrown)
      }
    },
  }
}

export type HostedPages = ReturnType<typeof createHostedPages>

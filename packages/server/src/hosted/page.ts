import type { PageStrings } from "../config/page-strings.js"
import { escapeHtml, fillPlain, type Names, shown } from "./html.js"
import { directionOf } from "./language.js"
import { checkedNonce, checkedOrigin, pageHeaders } from "./policy.js"
import { JUMP, MESSAGE } from "./scripts.js"
import { styles } from "./styles.js"
import { contentOf } from "./views.js"

/** What a page of the hosted login says. No member of it may be a parameter of the browser's request. */
export type PageView =
  /** Poll, before anything is granted. `action`: where the form posts `token`, as `confirm`; of our own. */
  | { view: "confirm"; device: string | null; provider: string; code: string; action: string; token: string }
  /**
   * On the way to the provider: `target`. The page goes there by itself, so that it can also be the answer (200) to the confirm
   * form: a 303 there would be one with the form, and Chromium stops it at any redirect to a host that `form-action` does not
   * name, such as the one to the provider behind the provider.
   */
  | { view: "leaving"; provider: string; target: string }
  /** Jumps to the app, with a button for where the browser blocks that. */
  | { view: "return"; target: string }
  /** Posts the message to the page of this origin, or to the app's native bridge. */
  | {
      view: "message"
      message: { type: "pkce"; [member: string]: string }
      origin: string | null
      failed: boolean
    }
  | { view: "done" }
  /** With a `target` it goes back to the app as `return` does. */
  | {
      view: "failed"
      text: "failedText" | "deniedText" | "expiredText" | "unavailableText"
      errorId: string | null
      target?: string
    }

export interface PageOptions {
  name: string | null
  /** `#rrggbb` */
  color: string | null
  strings: PageStrings
  /** A language tag, for `<html lang>` and the direction of the script. */
  lang: string
  /** base64url or base64 of at least 128 random bits, fresh for each page. */
  nonce: string
}

export interface Page {
  html: string
  /** The Content-Security-Policy and what else only a page needs; `no-store` and the like are on every answer already. */
  headers: Record<string, string>
}

/**
 * One page of the hosted login: self-contained, in the team's colour and the user's language.
 * @throws TypeError for a target, an origin, a nonce or a colour that would change what the page is
 */
export function renderPage(view: PageView, options: PageOptions): Page {
  const { name, strings, lang } = options
  const nonce = checkedNonce(options.nonce)
  const origin = view.view === "message" && view.origin !== null ? checkedOrigin(view.origin) : null
  const form = view.view === "confirm"

  const names: Names = {
    app: name ?? strings.app,
    ...("provider" in view ? { provider: view.provider } : {}),
    ...("device" in view ? { device: view.device ?? strings.unknownDevice } : {}),
  }
  const { title, body, next } = contentOf(view, strings, names)
  const script = scriptOf(view, nonce)
  const html = `<!doctype html>
<html lang="${escapeHtml(lang)}" dir="${directionOf(lang)}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="format-detection" content="telephone=no">
${next === undefined ? "" : `<meta http-equiv="refresh" content="0;url=${escapeHtml(next)}">\n`}<title>${fillPlain(title, names)}</title>
<style nonce="${nonce}">${styles(options.color)}</style>
</head>
<body>
<main>
${name === null ? "" : `<p class="app"><bdi>${shown(name)}</bdi></p>\n`}${body}
</main>
${script}</body>
</html>
`
  return { html, headers: pageHeaders({ nonce, script: script !== "", form, origin }) }
}

function scriptOf(view: PageView, nonce: string): string {
  if (view.view === "message") {
    const origin = view.origin === null ? "" : ` data-origin="${escapeHtml(view.origin)}"`
    const message = escapeHtml(JSON.stringify(view.message))
    return `<script nonce="${nonce}" data-message="${message}"${origin}>${MESSAGE}</script>\n`
  }
  const jumps = view.view === "return" || (view.view === "failed" && view.target !== undefined)
  return jumps ? `<script nonce="${nonce}">${JUMP}</script>\n` : ""
}

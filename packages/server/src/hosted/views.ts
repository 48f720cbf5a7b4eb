import type { PageStrings } from "../config/page-strings.js"
import { escapeHtml, fill, type Names, shown } from "./html.js"
import type { PageView } from "./page.js"
import { checkedAction, checkedTarget } from "./policy.js"

export interface Content {
  /** Words, with the names still in braces. */
  title: string
  /** HTML. */
  body: string
  /** Where the page goes by itself without a script. */
  next?: string
}

// Paths of a 24 by 24 square. None has a direction, so that none has to turn with the script.
const SIGNS = {
  device:
    "M8.5 3h7A1.5 1.5 0 0 1 17 4.5v15a1.5 1.5 0 0 1-1.5 1.5h-7A1.5 1.5 0 0 1 7 19.5v-15A1.5 1.5 0 0 1 8.5 3zM11 18h2",
  lock: "M5.5 11h13v9h-13zM8 11V8a4 4 0 0 1 8 0v3",
  done: "M5 12.5l4.5 4.5L19 7.5",
  trouble: "M12 5.5v8M12 18.4v.1",
}

const sign = (name: keyof typeof SIGNS) =>
  `<svg viewBox="0 0 24 24" aria-hidden="true"${name === "trouble" ? ' class="trouble"' : ""}><path d="${SIGNS[name]}"/></svg>`

/** The title and the body of a view. */
export function contentOf(view: PageView, strings: PageStrings, names: Names): Content {
  const words = (key: keyof PageStrings) => fill(strings[key], names)
  const head = (name: keyof typeof SIGNS, title: keyof PageStrings, text: keyof PageStrings) =>
    `${sign(name)}\n<h1>${words(title)}</h1>\n<p>${words(text)}</p>`
  const link = (target: string, label: keyof PageStrings) =>
    `\n<a class="button" href="${escapeHtml(checkedTarget(target))}">${words(label)}</a>`
  const content = (title: keyof PageStrings, body: string) => ({ title: strings[title], body })

  switch (view.view) {
    case "confirm":
      return content(
        "confirmTitle",
        head("device", "confirmTitle", "confirmText") + confirmation(view, words),
      )
    case "leaving":
      return {
        ...content(
          "leavingTitle",
          head("lock", "leavingTitle", "leavingText") + link(view.target, "leavingButton"),
        ),
        next: checkedTarget(view.target),
      }
    case "return":
      return content(
        "returnTitle",
        head("done", "returnTitle", "returnText") + link(view.target, "returnButton"),
      )
    case "message":
      return view.failed
        ? content("failedTitle", head("trouble", "failedTitle", "failedText"))
        : content("doneTitle", head("done", "doneTitle", "doneText"))
    case "done":
      return content("doneTitle", head("done", "doneTitle", "doneText"))
    case "failed": {
      const back = view.target === undefined ? "" : link(view.target, "returnButton")
      const id =
        view.errorId === null
          ? ""
          : `\n<p class="quiet">${words("errorId")} <code dir="ltr">${shown(view.errorId)}</code></p>`
      return content("failedTitle", head("trouble", "failedTitle", view.text) + back + id)
    }
  }
}

/** The code, and the form. A browser that restores forms must not restore the token of another page. */
function confirmation(
  { code, action, token }: Extract<PageView, { view: "confirm" }>,
  words: (key: keyof PageStrings) => string,
): string {
  const letters = [...code.replace(/[^0-9A-Z]/gi, "")].join(", ")
  return `
<p class="code" dir="ltr" role="img" aria-label="${shown(letters)}">${shown(code)}</p>
<p class="quiet">${words("confirmWarning")}</p>
<form method="post" action="${escapeHtml(checkedAction(action))}">
<input type="hidden" name="confirm" value="${escapeHtml(token)}" autocomplete="off">
<button class="button">${words("confirmButton")}</button>
</form>`
}

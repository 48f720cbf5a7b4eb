import type { ClientSession, SessionSummary } from "@pkce/client"
import type { Step } from "@pkce-examples/flow"
import { h } from "./dom.js"

/** What the panels show; `main.ts` keeps it. */
export interface View {
  session: ClientSession | null
  devices: SessionSummary[]
  answer: string
  /** Why the last refresh did nothing, or nothing. */
  note: string
  busy: boolean
  steps: Step[]
}

export interface Actions {
  signIn(mode: "redirect" | "popup"): void
  callApi(): void
  refresh(): void
  revoke(id: string): void
  signOut(provider: boolean): void
}

export function panels(view: View, actions: Actions): HTMLElement[] {
  if (!view.session) return [hero(view, actions)]
  return [who(view.session, view, actions), line(view, actions), devices(view, actions), api(view, actions)]
}

function button(label: string, view: View, click: () => void, style = "", name = label) {
  const element = h("button", { type: "button", class: style, click, "aria-label": name }, label)
  element.disabled = view.busy
  return element
}

const hero = (view: View, actions: Actions) =>
  h(
    "section",
    { class: "panel hero" },
    h("h1", {}, "Sign in, and watch what happens"),
    h(
      "p",
      {},
      "This page keeps no secret. It makes PKCE and opens the provider; its own backend redeems the code and holds the provider's tokens.",
    ),
    h(
      "div",
      { class: "actions" },
      button("Sign in", view, () => actions.signIn("redirect"), "main"),
      button("Sign in with a popup", view, () => actions.signIn("popup")),
    ),
  )

function who({ id, user }: ClientSession, view: View, actions: Actions) {
  const name = String(user?.name ?? "Somebody")
  const initials = name.split(" ").map((word) => word.charAt(0))
  return h(
    "section",
    { class: "panel", "aria-label": "Who am I" },
    h(
      "div",
      { class: "person" },
      h("div", { class: "avatar", "aria-hidden": "true" }, initials.slice(0, 2).join("").toUpperCase()),
      h("div", {}, h("strong", { id: "name" }, name), h("span", {}, String(user?.email ?? ""))),
    ),
    h(
      "dl",
      { class: "facts" },
      ...fact("session_id", h("code", {}, `${id.slice(0, 8)}…`)),
      ...fact("sub", h("code", {}, `${user?.sub.slice(0, 8)}…`)),
    ),
    h(
      "div",
      { class: "actions row" },
      button("Sign out", view, () => actions.signOut(false), "small"),
      button(
        "…at the provider too",
        view,
        () => actions.signOut(true),
        "small",
        "Sign out at the provider too",
      ),
    ),
  )
}

function line(view: View, actions: Actions) {
  const carried = (name: string) =>
    [...view.steps].reverse().find((step) => step.carries.some((carry) => carry.name === name))
  const value = (name: string) => carried(name)?.carries.find((carry) => carry.name === name)?.value
  const generation = carried("generation")
  const begun = [...view.steps].reverse().find((step) => step.number === 8)
  const current = generation && (!begun || generation.at > begun.at) ? value("generation") : begun ? "0" : "-"
  const grant = carried("expires_in")
  const lifetime = Number.parseInt(value("expires_in") ?? "0", 10)
  const left = grant ? Math.max(0, Math.round(lifetime - (Date.now() - grant.at) / 1000)) : 0
  const bar = h("div", { class: "life", role: "presentation" }, h("i"))
  bar.style.setProperty("--left", String(lifetime ? left / lifetime : 0))
  return h(
    "section",
    { class: "panel", "aria-label": "Session line" },
    h("h2", {}, "Session line", button("Refresh now", view, actions.refresh, "small")),
    h(
      "dl",
      { class: "facts" },
      ...fact("generation", h("code", { id: "generation" }, current ?? "-")),
      ...fact("refresh token", h("code", {}, value("refresh_token") ?? "kept by another tab")),
      ...fact("session token", grant ? `${left} s left` : "kept by another tab"),
    ),
    bar,
    h(
      "p",
      { class: "muted", id: "note" },
      view.note || "Each refresh opens the last challenge and sets the next one: PKCE, carried on.",
    ),
  )
}

function devices(view: View, actions: Actions) {
  const row = ({ session_id, current, device, last_seen_at }: SessionSummary) =>
    h(
      "li",
      {},
      h(
        "div",
        {},
        h("b", {}, device.name ?? "A device"),
        h("small", {}, `last seen ${new Date(last_seen_at * 1000).toLocaleTimeString()}`),
      ),
      current
        ? h("span", { class: "here" }, "this one")
        : button("End", view, () => actions.revoke(session_id), "small", `End the session of ${device.name}`),
    )
  return h(
    "section",
    { class: "panel", "aria-label": "Devices" },
    h("h2", {}, "Devices"),
    h("ul", { class: "devices" }, ...view.devices.map(row)),
  )
}

const api = (view: View, actions: Actions) =>
  h(
    "section",
    { class: "panel", "aria-label": "API" },
    h("h2", {}, "API", button("Call the API", view, actions.callApi, "small")),
    view.answer
      ? h("pre", { class: "answer", id: "answer", tabindex: "0" }, view.answer)
      : h("p", { class: "muted" }, "GET /api/me, with the session token as bearer."),
  )

const fact = (name: string, value: Node | string) => [h("dt", {}, name), h("dd", {}, value)]

import { lanes, type Step } from "@pkce-examples/flow"
import { find, h } from "./dom.js"

const chapters = {
  login: "Login",
  call: "Calls",
  refresh: "Refresh: the session line",
  logout: "Sign-out",
} as const

/** Draws the steps, oldest first; called again with more of them, it adds what is new. */
export function drawSteps(steps: Step[]): void {
  const list = find("steps")
  find("empty").hidden = steps.length > 0
  const drawn = [...list.querySelectorAll<HTMLElement>(".step")]
  const wanted = steps.map(keyOf)
  // The same beginning is left as it stands, so that only new arrows move.
  let same = 0
  while (same < drawn.length && drawn[same]?.dataset.key === wanted[same]) same++
  const last = drawn[same - 1]
  while (list.lastElementChild && list.lastElementChild !== (last ?? null)) list.lastElementChild.remove()
  for (const [i, step] of steps.entries()) {
    if (i < same) continue
    if (steps[i - 1]?.chapter !== step.chapter || step.number === 1) {
      list.append(h("li", { class: "chapter" }, h("span", {}, chapters[step.chapter])))
    }
    list.append(row(step))
  }
  // Beside the panels the drawing may move under them; below them it would carry the buttons away.
  if (same > 0 && same < steps.length && matchMedia("(min-width: 62rem)").matches)
    list.lastElementChild?.scrollIntoView({ block: "nearest" })
}

const keyOf = ({ at, title }: Step) => `${at} ${title}`

function row(step: Step): HTMLElement {
  const from = lanes.indexOf(step.from)
  const to = lanes.indexOf(step.to)
  const low = Math.min(from, to)
  const way = from === to ? "self" : from < to ? "right" : "left"
  const right = low >= 2

  const arrow = h("div", { class: "arrow", "data-way": way, "aria-hidden": "true" }, h("i"))
  const element = h(
    "li",
    {
      class: "step",
      "data-key": keyOf(step),
      "data-lane": step.from,
      "data-side": right ? "right" : "left",
      "aria-label": `${step.from} to ${step.to}`,
    },
    h(
      "div",
      { class: "says" },
      step.number !== null && h("b", { class: "number" }, String(step.number)),
      h("p", {}, step.title),
    ),
    arrow,
    step.carries.length > 0 &&
      h(
        "ul",
        { class: "carries" },
        ...step.carries.map(({ name, value }) =>
          h("li", {}, h("span", {}, `${name} `), h("code", {}, value)),
        ),
      ),
    step.checks.length > 0 &&
      h(
        "ul",
        { class: "checks" },
        ...step.checks.map(({ text, ok }) => h("li", { "data-ok": String(ok) }, text)),
      ),
  )
  // Set by the object model: the page's policy admits no style attributes.
  for (const [name, value] of Object.entries({
    "--low": low,
    "--high": Math.max(from, to),
    "--span": Math.abs(to - from),
    "--start": from,
    "--origin": way === "left" ? "100%" : "0%",
  })) {
    element.style.setProperty(name, String(value))
  }
  return element
}

import { type Carried, type Lane, lanes, type Step } from "@pkce-examples/flow"

export interface Paper {
  write(text: string): unknown
  isTTY?: boolean
  columns?: number
}

const INDENT = "     "
const WIDTHS = [9, 30, 51, 72] as const
const colors: Record<Lane, number> = { app: 35, browser: 36, provider: 33, backend: 34 }

/**
 * Prints steps as a sequence diagram. In colour only on a terminal, and not where NO_COLOR is set
 * (https://no-color.org).
 */
export function createPrinter(paper: Paper, environment: { NO_COLOR?: string } = process.env) {
  const colored = paper.isTTY === true && !environment.NO_COLOR
  const paint = (code: number, text: string) => (colored ? `\x1b[${code}m${text}\x1b[0m` : text)
  const bold = (text: string) => paint(1, text)
  const dim = (text: string) => paint(2, text)
  const line = (text = "") => paper.write(`${text}\n`)

  /** One row of the diagram: the lifelines, and an arrow over them. */
  function arrow(step: Step): string {
    const from = WIDTHS[lanes.indexOf(step.from)] ?? 0
    const to = WIDTHS[lanes.indexOf(step.to)] ?? 0
    const [low, high] = [Math.min(from, to), Math.max(from, to)]
    const number = step.number === null ? "  " : bold(String(step.number).padStart(2))
    const cells = Array.from({ length: WIDTHS[3] + 1 }, (_, x) => {
      if (x === from) return paint(colors[step.from], from === to ? "◉" : "●")
      if (x === to) return paint(colors[step.from], to > from ? "▶" : "◀")
      if (x > low && x < high) return paint(colors[step.from], "─")
      return WIDTHS.some((width) => width === x) ? dim("│") : " "
    })
    return number + cells.slice(2).join("")
  }

  /** What travelled, in lines that fit. */
  function carried(values: Carried[]): string[] {
    const rows: { text: string; length: number }[] = []
    for (const { name, value } of values) {
      const length = name.length + value.length + 3
      const text = `${dim(name)} ${value}`
      const last = rows.at(-1)
      if (last && last.length + length <= 76) {
        last.text += `  ${text}`
        last.length += length
      } else rows.push({ text, length })
    }
    return rows.map((row) => row.text)
  }

  return {
    line,
    bold,
    dim,
    heading() {
      const names = lanes.map((lane, i) => {
        const title = lane.charAt(0).toUpperCase() + lane.slice(1)
        const start = (WIDTHS[i] ?? 0) - Math.floor(title.length / 2)
        return { lane, title, start }
      })
      let row = ""
      let at = 0
      for (const { lane, title, start } of names) {
        row += " ".repeat(start - at) + bold(paint(colors[lane], title))
        at = start + title.length
      }
      line(row)
    },
    step(step: Step) {
      line()
      line(arrow(step))
      line(`${INDENT}${bold(step.title)}`)
      for (const row of carried(step.carries)) line(`${INDENT}${row}`)
      for (const { ok, text } of step.checks) {
        line(`${INDENT}${ok ? paint(32, "✓") : paint(31, "✗")} ${dim(text)}`)
      }
    },
  }
}

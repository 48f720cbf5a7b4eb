import { checkedColor, contrast, inkOn } from "./color.js"

const LIGHT = { ground: "#f3f4f6", card: "#ffffff", text: "#16181d", quiet: "#555b67", line: "#dfe2e7" }
const DARK = { ground: "#0f1013", card: "#191b20", text: "#f2f3f5", quiet: "#a9afba", line: "#30343c" }
const TEAM = "#2f62e0"
const TROUBLE = "#b3261e"

type Scheme = typeof LIGHT

/** The edge of what bears the team's colour: seen wherever the colour itself melts into the card. */
const edge = (color: string, { card, quiet }: Scheme) => (contrast(color, card) < 3 ? quiet : color)

const variables = (scheme: Scheme, color: string) =>
  `:root{${Object.entries(scheme)
    .map(([name, value]) => `--${name}:${value}`)
    .join(";")};--edge:${edge(color, scheme)}}`

/** The page's style sheet. Sizes are `rem`, so that the user's own text size holds; lengths that turn with the script are logical. */
export function styles(color: string | null): string {
  const team = checkedColor(color ?? TEAM)
  return `${variables(LIGHT, team)}
@media (prefers-color-scheme:dark){${variables(DARK, team)}}
*{box-sizing:border-box;margin:0}
body{min-height:100vh;min-height:100dvh;display:grid;place-items:center;padding:1rem;background:var(--ground);color:var(--text);font:1rem/1.5 system-ui,sans-serif;-webkit-text-size-adjust:100%}
main{width:100%;max-width:26rem;padding:2rem clamp(1rem,6vw,1.75rem);background:var(--card);border:1px solid var(--line);border-radius:1rem;text-align:center;overflow-wrap:anywhere}
main>*+*{margin-top:1rem}
p{text-wrap:balance}
.app{color:var(--quiet);font-weight:600}
svg{width:3.25rem;height:3.25rem;padding:.75rem;border:1px solid var(--edge);border-radius:50%;background:${team};stroke:${inkOn(team)};stroke-width:2.25;fill:none;stroke-linecap:round;stroke-linejoin:round}
.trouble{background:${TROUBLE};border-color:${TROUBLE};stroke:${inkOn(TROUBLE)}}
h1{font-size:clamp(1.25rem,6vw,1.5rem);line-height:1.25;text-wrap:balance}
.code{padding:.75rem .5rem;border:1px solid var(--line);border-radius:.75rem;background:var(--ground);font:600 1.75rem/1.3 ui-monospace,Menlo,Consolas,monospace;letter-spacing:.06em;overflow-wrap:normal;white-space:nowrap}
.quiet{color:var(--quiet);font-size:.9375rem}
.button{display:block;width:100%;padding:.8rem 1rem;border:1px solid var(--edge);border-radius:.75rem;background:${team};color:${inkOn(team)};font:inherit;font-weight:600;text-decoration:none;cursor:pointer}
.button:focus-visible{outline:3px solid var(--text);outline-offset:3px}
@media (prefers-reduced-motion:no-preference){.button{transition:filter .15s}}
.button:hover{filter:brightness(.94)}`
}

/** The four parties, in the order in which they are drawn. */
export const lanes = ["app", "browser", "provider", "backend"] as const
export type Lane = (typeof lanes)[number]

/** Something that travelled: names of the wire, values fit for display. */
export interface Carried {
  name: string
  value: string
}

/** Two values that were really compared, and how that went. */
export interface Check {
  text: string
  ok: boolean
}

/** One arrow of the sequence diagram. */
export interface Step {
  /** Milliseconds since the epoch. */
  at: number
  chapter: "login" | "call" | "refresh" | "logout"
  /** 1 to 8 in the login; what follows has no number. */
  number: number | null
  from: Lane
  to: Lane
  title: string
  carries: Carried[]
  checks: Check[]
}

export type Tell = (step: Omit<Step, "at">) => void

/** An arrow that carries and compares nothing yet. */
export const arrow = (
  place: number | Exclude<Step["chapter"], "login">,
  from: Lane,
  to: Lane,
  title: string,
  carries: Carried[] = [],
  checks: Check[] = [],
): Omit<Step, "at"> => ({
  chapter: typeof place === "number" ? "login" : place,
  number: typeof place === "number" && place > 0 ? place : null,
  from,
  to,
  title,
  carries,
  checks,
})

/** GR2: what is shown of a secret. */
export const cut = (secret: string): string => `${secret.slice(0, 3)}…`

export const shown = (name: string, value: string): Carried => ({ name, value })
export const hidden = (name: string, secret: string): Carried => ({ name, value: cut(secret) })

/** Compares two secrets and shows both, cut. */
export const same = (left: string, a: string | undefined, right: string, b: string | undefined): Check => ({
  text: `${left} ${cut(a ?? "")} = ${right} ${cut(b ?? "")}`,
  ok: a !== undefined && a === b,
})

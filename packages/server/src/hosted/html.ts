const REFERENCES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
}

// C15: what is invisible, breaks a line or turns the direction of the words around it.
const CONTROL = /[\p{Cc}\p{Bidi_Control}\u2028\u2029\ufeff]/gu

/** Text as HTML, in an element or in a quoted attribute. Nothing is ever put into a script or an unquoted attribute. */
export const escapeHtml = (text: string): string =>
  text.replace(/[&<>"']/g, (character) => REFERENCES[character] ?? "")

/** Text that a person reads, as HTML. */
export const shown = (text: string): string => escapeHtml(text.replace(CONTROL, ""))

// Two lines of a phone: a name that is a letter of its own must not push the rest of the page out of sight.
const MAX_NAME = 64

const shortened = (name: string) => {
  const characters = [...name]
  return characters.length > MAX_NAME ? `${characters.slice(0, MAX_NAME - 1).join("")}\u2026` : name
}

/** What stands for `{app}`, `{provider}` and `{device}`. */
export type Names = Readonly<Record<string, string>>

// One pass: braces in a name are not looked at again. Own members only: `{constructor}` is no name.
const put = (text: string, names: Names, write: (name: string) => string) =>
  text.replace(/\{(\w+)\}/g, (braces, key: string) => {
    const name = Object.hasOwn(names, key) ? names[key] : undefined
    return name === undefined ? braces : write(shortened(name))
  })

/** Words with the names in them, as HTML. `bdi` keeps the direction of a name from the words beside it. */
export const fill = (words: string, names: Names): string =>
  put(shown(words), names, (name) => `<bdi>${shown(name)}</bdi>`)

/** The same without elements, for the title of a window. */
export const fillPlain = (words: string, names: Names): string => shown(put(words, names, (name) => name))

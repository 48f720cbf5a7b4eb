const COLOR = /^#[0-9a-f]{6}$/i

/** The colour as `#rrggbb`. Anything else would be words of a style sheet. */
export function checkedColor(color: string): string {
  if (!COLOR.test(color)) throw new TypeError("A colour of the page is not #rrggbb.")
  return color
}

/** Relative luminance (WCAG 2.2): 0 for black, 1 for white. */
function luminance(color: string): number {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) => {
    const part = Number.parseInt(color.slice(at, at + 2), 16) / 255
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4
  })
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue
}

/** Contrast ratio (WCAG 2.2), 1 to 21. Text needs 4.5, the edge of a control 3. */
export function contrast(one: string, other: string): number {
  const [darker = 0, lighter = 0] = [luminance(one), luminance(other)].sort((a, b) => a - b)
  return (lighter + 0.05) / (darker + 0.05)
}

/** Black or white, whichever reads better: on any colour at all one of the two has at least 4.58. */
export const inkOn = (color: string): string =>
  contrast(color, "#ffffff") >= contrast(color, "#000000") ? "#ffffff" : "#000000"

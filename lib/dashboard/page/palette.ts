import { CLOSE_CAUSES } from '../../core/close/policy.js'

/** Puts the colour of a cause where CSS finds it: each has one, light and dark, in page.css. */
export function colourOf(element: HTMLElement, cause: string): void {
  if (element.dataset['cause'] === cause) return
  element.dataset['cause'] = cause
  element.style.setProperty('--colour', `var(--cause-${cause}, var(--soft))`)
}

/** In a fixed order, which is that of the table of causes; others come last. */
export function sortCauses(causes: Iterable<string>): string[] {
  return [...causes].toSorted((a, b) => rank(a) - rank(b))
}

function rank(cause: string): number {
  const place = (CLOSE_CAUSES as readonly string[]).indexOf(cause)
  return place < 0 ? CLOSE_CAUSES.length : place
}

const colours = new Map<string, string>()

/** The value of a custom property, for what draws on a canvas. */
export function colour(name: string): string {
  const known = colours.get(name)
  if (known !== undefined) return known
  const value = getComputedStyle(document.documentElement).getPropertyValue(`--${name}`)
  colours.set(name, value)
  return value
}

/** Tells when all colours are others. */
export function onTheme(changed: () => void): void {
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
    colours.clear()
    changed()
  })
}

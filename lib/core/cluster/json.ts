/** Deeper than this is taken for a circle. */
const DEEPEST = 64

/**
 * What in a value JSON cannot carry, and where. A property that is `undefined` is left out, as JSON does.
 * @returns `undefined` if there is nothing
 * @throws what a getter of the value throws
 */
export function notJson(value: unknown, path = '', depth = 0): string | undefined {
  const wrong = wrongItself(value)
  if (wrong !== undefined) return path === '' ? wrong : `${wrong} at ${path}`
  if (typeof value !== 'object' || value === null) return undefined
  if (depth === DEEPEST) return `more than ${DEEPEST} levels`
  if (Array.isArray(value)) {
    for (let at = 0; at < value.length; at++) {
      const found = notJson(value[at], `${path}[${at}]`, depth + 1)
      if (found !== undefined) return found
    }
    return undefined
  }
  for (const [name, member] of Object.entries(value)) {
    if (member === undefined) continue
    const found = notJson(member, `${path}.${name}`, depth + 1)
    if (found !== undefined) return found
  }
  return undefined
}

function wrongItself(value: unknown): string | undefined {
  if (value === undefined) return 'undefined'
  if (typeof value === 'number') return Number.isFinite(value) ? undefined : String(value)
  if (typeof value === 'object') return value === null ? undefined : wrongObject(value)
  return typeof value === 'string' || typeof value === 'boolean' ? undefined : `a ${typeof value}`
}

/** Objects of a class, such as a Date, would arrive as something else. */
function wrongObject(value: object): string | undefined {
  if (Array.isArray(value)) return undefined
  const prototype: unknown = Object.getPrototypeOf(value)
  // `Object.prototype` is the one that has none itself, in each realm.
  const isPlain = prototype === null || Object.getPrototypeOf(prototype) === null
  return isPlain ? undefined : 'an instance of a class'
}

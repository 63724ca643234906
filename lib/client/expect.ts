/** Checks, with errors that say what was expected, and what came. */

/** The largest delay of timers. */
const LONGEST = 2 ** 31 - 1

/** @throws TypeError. It tells only the type of what came, unless that is a number: it may hold a secret. */
export function expect(
  name: string,
  expected: string,
  value: unknown,
  isRight: boolean,
): asserts isRight {
  if (isRight) return
  const got = typeof value === 'number' ? value : typeof value
  throw new TypeError(`Expected \`${name}\` to be ${expected}, got ${got}`)
}

/**
 * The defaults, with what was given in their place: each has to be of the type of its default.
 * @throws TypeError
 */
export function complete<Group extends Readonly<Record<string, unknown>>>(
  name: string,
  given: object,
  defaults: Group,
): Group {
  expect(name, 'an object', given, typeof given === 'object')
  const all: Record<string, unknown> = { ...defaults }
  for (const [key, value] of Object.entries(given) as Array<[string, unknown]>) {
    const option = `${name}.${key}`
    const type = typeof all[key]
    expect(option, 'a known option', value, key in all)
    if (value === undefined) continue
    expect(option, `a ${type}`, value, typeof value === type)
    if (typeof value === 'number') {
      expect(option, `from 1 to ${LONGEST}`, value, value >= 1 && value <= LONGEST)
    }
    all[key] = value
  }
  return all as Group
}

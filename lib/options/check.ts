/** Checks for the values of options: single ones, and functions that make new checks of others. */

/** The largest delay of node's timers, and the largest `maxPayload` of ws. */
export const INT32_MAX: number = 2 ** 31 - 1

/** A check for the value of an option, and its text for error messages. */
export interface Check {
  readonly expected: string
  readonly accepts: (value: unknown) => boolean
}

export function duration(from: number, to: number = INT32_MAX): Check {
  return {
    expected: `a number of milliseconds from ${from} to ${to}`,
    accepts: (value) => typeof value === 'number' && value >= from && value <= to,
  }
}

export function orFalse(check: Check): Check {
  return {
    expected: `${check.expected}, or false`,
    accepts: (value) => value === false || check.accepts(value),
  }
}

export function whole(from: number, of: string): Check {
  return {
    expected: `a whole number of ${of} from ${from}`,
    accepts: (value) => Number.isSafeInteger(value) && (value as number) >= from,
  }
}

export function orInfinity(check: Check): Check {
  return {
    expected: `${check.expected}, or Infinity`,
    accepts: (value) => value === Infinity || check.accepts(value),
  }
}

export function oneOf(...values: string[]): Check {
  return {
    expected: values.map((value) => `'${value}'`).join(' or '),
    accepts: (value) => typeof value === 'string' && values.includes(value),
  }
}

/** An object of somebody else's, known by its methods. */
export function withMethods(expected: string, ...names: string[]): Check {
  return {
    expected,
    accepts: (value) =>
      typeof value === 'object' &&
      value !== null &&
      names.every((name) => typeof Reflect.get(value, name) === 'function'),
  }
}

export const BOOLEAN: Check = {
  expected: 'true or false',
  accepts: (value) => typeof value === 'boolean',
}
export const HOOK: Check = {
  expected: 'a function',
  accepts: (value) => typeof value === 'function',
}
export const GROUP: Check = {
  expected: 'an object',
  accepts: (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
}

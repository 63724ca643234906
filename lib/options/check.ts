import { inspect } from 'node:util'
import { invalidOption } from '../errors.js'
import { meantBy } from './other-names.js'

/** node's timers take no more, nor does ws as `maxPayload`. */
export const INT32_MAX: number = 2 ** 31 - 1

/** What an option has to be. */
export interface Check {
  readonly expected: string
  readonly accepts: (value: unknown) => boolean
}

export function duration(from: number): Check {
  return {
    expected: `a number of milliseconds from ${from} to ${INT32_MAX}`,
    accepts: (value) => typeof value === 'number' && value >= from && value <= INT32_MAX,
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

export const HOOK: Check = {
  expected: 'a function',
  accepts: (value) => typeof value === 'function',
}
export const GROUP: Check = {
  expected: 'an object',
  accepts: (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
}

/** What was given in a group, checked; nothing where the group was not given. */
export function readGroup<Settings extends object>(
  options: Partial<Settings> | undefined,
  checks: Readonly<Record<keyof Settings, Check>>,
  group: string,
  where: string,
): Partial<Settings> {
  if (options === undefined) return {}
  if (!GROUP.accepts(options)) refuse(group, GROUP, options, where)
  refuseUnknown(options, Object.keys(checks), `${group}.`, where)
  return read<Partial<Settings>>(options, checks, `${group}.`, where)
}

/**
 * What was given of the options that have a check, as a record of its own. Each is read once, and may
 * be inherited, as from a class with getters. One that is `undefined` was not given.
 */
export function read<Options extends object>(
  options: Options,
  checks: Readonly<Partial<Record<keyof Options, Check>>>,
  prefix: string,
  where: string,
): Partial<Options> {
  const given: Partial<Options> = {}
  for (const [name, wanted] of Object.entries(checks) as Array<[keyof Options & string, Check]>) {
    const value = options[name]
    if (value === undefined) continue
    if (!wanted.accepts(value)) refuse(prefix + name, wanted, value, where)
    given[name] = value
  }
  return given
}

export function refuse(
  name: string,
  wanted: Pick<Check, 'expected'>,
  value: unknown,
  where: string,
): never {
  throw invalidOption(
    `Expected \`${name}\` to be ${wanted.expected}, got ${show(value)}, in ${where}`,
  )
}

export function refuseMore(
  name: string,
  value: number,
  limitName: string,
  limit: number,
  where: string,
): never {
  throw invalidOption(
    `Expected \`${name}\` to be at most \`${limitName}\` (${limit}), got ${show(value)}, in ${where}`,
  )
}

/** @param hintOf what is known of a name that is none of these, and what to write instead */
export function refuseUnknown(
  options: object,
  known: readonly string[],
  prefix: string,
  where: string,
  hintOf: (name: string) => string | undefined = () => undefined,
): void {
  for (const name of Object.keys(options)) {
    if (known.includes(name)) continue
    refuseName(prefix + name, hintOf(name) ?? nameHint(name, known, prefix), where)
  }
}

export function refuseName(name: string, hint: string, where: string): never {
  throw invalidOption(`Expected a known option, got \`${name}\` (${hint}), in ${where}`)
}

export function didYouMean(names: string): string {
  return `did you mean ${names}?`
}

/** Whether somebody who wrote `name` meant `known`: in another case, or with one letter wrong, or two of them swapped. */
export function isNearMiss(name: string, known: string): boolean {
  const [written, meant] = [name.toLowerCase(), known.toLowerCase()]
  return distance(written, meant) <= 1 || isSwapped(written, meant)
}

function nameHint(name: string, known: readonly string[], prefix: string): string {
  const full = (each: string): string => `\`${prefix}${each}\``
  const near = nearest(name, known)
  if (isFar(name, near)) {
    const elsewhere = meantBy(name)
    // In a group only what is of this group; elsewhere the same word may mean something else.
    if (elsewhere?.startsWith(`\`${prefix}`)) return didYouMean(elsewhere)
    return `known are ${known.map(full).join(', ')}`
  }
  return didYouMean(full(near))
}

/** What may be told of a value that is not ours to show: a number, and of everything else its type. */
export function kindOf(value: unknown): string | number {
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value)
  return value === null ? 'null' : typeof value
}

export function show(value: unknown): string {
  return `\`${inspected(value)}\` (${typeof value})`
}

function inspected(value: unknown): string {
  try {
    return inspect(value, { depth: 1, breakLength: Infinity, maxStringLength: 100 })
  } catch {
    // Something in it shows itself in a way of its own, and failed.
    return '?'
  }
}

function nearest(name: string, known: readonly string[]): string {
  const byDistance = known.map((candidate) => ({ candidate, distance: distance(name, candidate) }))
  return byDistance.reduce((best, other) => (other.distance < best.distance ? other : best))
    .candidate
}

/** A name that shares less than half with the nearest one has little to do with it. */
function isFar(name: string, near: string): boolean {
  return distance(name, near) > Math.max(2, name.length / 2)
}

/** Whether two neighbours have changed their places. */
function isSwapped(from: string, to: string): boolean {
  let at = 0
  while (at < from.length && from[at] === to[at]) at++
  const swapped = from.slice(0, at) + from.charAt(at + 1) + from.charAt(at) + from.slice(at + 2)
  return swapped === to
}

/** Levenshtein's distance, by rows. */
function distance(from: string, to: string): number {
  let above = Array.from({ length: to.length + 1 }, (_, column) => column)
  for (let row = 1; row <= from.length; row++) {
    const current = [row]
    for (let column = 1; column <= to.length; column++) {
      const substitution =
        (above[column - 1] as number) + (from[row - 1] === to[column - 1] ? 0 : 1)
      current.push(
        Math.min(substitution, (above[column] as number) + 1, (current[column - 1] as number) + 1),
      )
    }
    above = current
  }
  return above[to.length] as number
}

import { inspect } from 'node:util'
import { invalidOption } from '../errors.js'
import type { Check } from './check.js'
import { isFar, nearest } from './near-names.js'
import { meantBy } from './other-names.js'

/** @throws FST_ERR_WSL_INVALID_OPTION */
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

/** @throws FST_ERR_WSL_INVALID_OPTION */
export function refuseMore(
  name: string,
  value: number,
  boundName: string,
  bound: number,
  where: string,
): never {
  throw invalidOption(
    `Expected \`${name}\` to be at most \`${boundName}\` (${bound}), got ${show(value)}, in ${where}`,
  )
}

/**
 * Refuses names that are not in `known`.
 * @param hintOf returns a hint about an unknown name: what to write instead
 * @throws FST_ERR_WSL_INVALID_OPTION
 */
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

/** @throws FST_ERR_WSL_INVALID_OPTION */
export function refuseName(name: string, hint: string, where: string): never {
  throw invalidOption(`Expected a known option, got \`${name}\` (${hint}), in ${where}`)
}

export function didYouMean(names: string): string {
  return `did you mean ${names}?`
}

function nameHint(name: string, known: readonly string[], prefix: string): string {
  const full = (each: string): string => `\`${prefix}${each}\``
  const near = nearest(name, known)
  if (isFar(name, near)) {
    const elsewhere = meantBy(name)
    // In a group only hints to this group count: elsewhere the same word may mean something else.
    if (elsewhere?.startsWith(`\`${prefix}`)) return didYouMean(elsewhere)
    return `known are ${known.map(full).join(', ')}`
  }
  return didYouMean(full(near))
}

/** What may be shown of a value that may be a secret: a number itself, of anything else only the type. */
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
    // A value in it has its own way to be inspected, and that failed.
    return '?'
  }
}

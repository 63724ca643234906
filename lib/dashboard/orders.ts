import { readObject } from '../platform/json.js'
import type { ToServer } from './protocol.js'

/** A page sees fewer rows at once. */
const MOST_SEEN = 100

/** No id is longer, and no reason that fits into a close frame. */
const LONGEST = 200

/** The members of each order, and whether they are as they have to be. */
const ORDERS: {
  readonly [Type in ToServer['type']]: Readonly<Record<string, (value: unknown) => boolean>>
} = {
  see: { ids: (value) => Array.isArray(value) && value.length <= MOST_SEEN && value.every(isText) },
  look: { id: (value) => value === null || isText(value) },
  end: { id: isText },
  close: { id: isText, code: Number.isSafeInteger, reason: isText },
}

/** @returns what a page wants; `undefined` if it is no page of ours */
export function readOrder(message: unknown): ToServer | undefined {
  const fields = typeof message === 'string' ? readObject(message) : undefined
  if (fields === undefined) return undefined
  const { type, ...others } = fields
  if (typeof type !== 'string' || !Object.hasOwn(ORDERS, type)) return undefined
  const wanted = Object.entries(ORDERS[type as ToServer['type']])
  const isRight =
    Object.keys(others).length === wanted.length &&
    wanted.every(([name, accepts]) => Object.hasOwn(others, name) && accepts(others[name]))
  return isRight ? (fields as unknown as ToServer) : undefined
}

function isText(value: unknown): boolean {
  return typeof value === 'string' && value.length <= LONGEST
}

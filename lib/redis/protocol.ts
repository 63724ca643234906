/**
 * What nodes say to each other: `1`, the version; a JSON object; of a message to a group also a line feed, and `t` with
 * the text or `b` with the bytes in base64. JSON of ours has no line feed, and the text needs no escaping.
 */
import { isSendableCode } from '../core/close/codes.js'
import { type Fields, readObject } from '../platform/json.js'
import { isKey } from './keys.js'
import type { LocalMember } from './local-members.js'

const VERSION = '1'

const NODE = /^[\w-]{1,64}$/

/** What a node asks of another one. */
export type Request =
  | { readonly op: 'find'; readonly key: string }
  | { readonly op: 'close'; readonly key: string; readonly code: number; readonly reason: string }
  | {
      readonly op: 'send'
      readonly key: string
      readonly data: string | Uint8Array
      /** Whether it is answered: where Redis tells who has heard it, it is not. */
      readonly asks: boolean
    }
  | { readonly op: 'replace'; readonly places: readonly string[] }
  | { readonly op: 'count' }

/** What a node answers: in parts, as long as there is more. */
export interface Answer {
  /** Number of parts before this one. */
  readonly part: number
  readonly isLast: boolean
  readonly found?: readonly LocalMember[]
  readonly closed?: number
  readonly open?: number
}

/** The node that sends it, and its number. An answer has the number of the request. */
interface Envelope {
  readonly from: string
  readonly id: number
}

export type Message = Envelope &
  ({ readonly request: Request } | { readonly request?: undefined; readonly answer: Answer })

export function encodeRequest(from: string, id: number, request: Request): string {
  if (request.op !== 'send') return VERSION + JSON.stringify({ from, id, ...request })
  const { data, ...rest } = request
  const payload =
    typeof data === 'string'
      ? `t${data}`
      : `b${Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('base64')}`
  return `${VERSION}${JSON.stringify({ from, id, ...rest })}\n${payload}`
}

export function encodeAnswer(from: string, id: number, answer: Answer): string {
  return VERSION + JSON.stringify({ from, id, op: 'answer', ...answer })
}

/** @returns `undefined` for what this version does not understand */
export function decode(text: string): Message | undefined {
  if (!text.startsWith(VERSION)) return undefined
  const end = text.indexOf('\n')
  const head = readObject(text.slice(VERSION.length, end < 0 ? undefined : end))
  if (head === undefined) return undefined
  const { from, id } = head
  if (typeof from !== 'string' || !NODE.test(from) || !Number.isSafeInteger(id)) return undefined
  const envelope = { from, id: id as number }
  if (head['op'] === 'answer') {
    const answer = readAnswer(head)
    return answer && { ...envelope, answer }
  }
  const request = readRequest(head, end < 0 ? undefined : text.slice(end + 1))
  return request && { ...envelope, request }
}

function readRequest(
  { op, key, code, reason, asks, places }: Fields,
  payload: string | undefined,
): Request | undefined {
  if (op === 'replace') {
    return Array.isArray(places) && places.every((id) => typeof id === 'string')
      ? { op, places }
      : undefined
  }
  if (op === 'count') return { op }
  if (typeof key !== 'string' || !isKey(key)) return undefined
  if (op === 'find') return { op, key }
  if (op === 'close') {
    return isSendableCode(code) && typeof reason === 'string'
      ? { op, key, code, reason }
      : undefined
  }
  const data = payload === undefined ? undefined : readData(payload)
  if (op !== 'send' || data === undefined || typeof asks !== 'boolean') return undefined
  return { op, key, data, asks }
}

function readData(payload: string): string | Uint8Array | undefined {
  const content = payload.slice(1)
  if (payload.startsWith('t')) return content
  return payload.startsWith('b') ? Buffer.from(content, 'base64') : undefined
}

function readAnswer({ part, isLast, found, closed, open }: Fields): Answer | undefined {
  if (!Number.isSafeInteger(part) || typeof isLast !== 'boolean') return undefined
  for (const count of [closed, open]) {
    if (count !== undefined && !Number.isSafeInteger(count)) return undefined
  }
  if (found !== undefined && !(Array.isArray(found) && found.every(isMember))) return undefined
  return {
    part: part as number,
    isLast,
    ...(found !== undefined && { found }),
    ...(closed !== undefined && { closed: closed as number }),
    ...(open !== undefined && { open: open as number }),
  }
}

function isMember(value: unknown): value is LocalMember {
  if (typeof value !== 'object' || value === null) return false
  const { id, route, openedAt, suspended } = value as Fields
  return (
    typeof id === 'string' &&
    typeof route === 'string' &&
    typeof openedAt === 'number' &&
    typeof suspended === 'boolean'
  )
}

import type { IncomingMessage } from 'node:http'
import { type Offer, readOffer } from '../core/session/link.js'

const HEADER = 'sec-websocket-protocol'
/** All names of the link begin with it. */
const OURS = 'wsl.'

/** The ways in which node tells of headers. A request of injectWS has the first one only. */
interface Headers {
  readonly headers: IncomingMessage['headers']
  readonly headersDistinct?: IncomingMessage['headersDistinct']
  rawHeaders?: string[] | undefined
}

/** What was taken out of a request. */
interface Taken {
  readonly offer: Offer
  /** The header as it came, in each of the ways in which node tells of it. */
  readonly before: Told
}

/** A header in each of the ways in which node tells of it. */
interface Told {
  readonly value: string | undefined
  readonly distinct: string[] | undefined
  readonly rawHeaders: string[] | undefined
}

/** By the request. An offer may hold the token of a session, and nobody finds it here who looks into that. */
const taken = new WeakMap<IncomingMessage, Taken>()

/**
 * Takes the names of the link out of the subprotocols that a client offers, so that no function of the app
 * sees them: one of them may hold the token of a session. If the client does not speak the link, this changes
 * nothing.
 */
export function takeOffer(message: IncomingMessage): void {
  const header: unknown = message.headers[HEADER]
  if (typeof header !== 'string' || !header.includes(OURS)) return
  const offer = readOffer(header)
  // node makes both of the raw headers when they are first read, and counts on their old number.
  const { headersDistinct, rawHeaders }: Headers = message
  const distinct = headersDistinct?.[HEADER]
  taken.set(message, { offer, before: { value: header, distinct, rawHeaders } })
  const value = offer.protocols.length > 0 ? offer.protocols.join(', ') : undefined
  tell(message, {
    value,
    distinct: value === undefined ? undefined : [value],
    rawHeaders: rawHeaders && rewritten(rawHeaders, value),
  })
}

/** What was taken; `undefined` if the client does not speak the link. */
export function offerOf(message: IncomingMessage): Offer | undefined {
  return taken.get(message)?.offer
}

/** The token of the session that a client wants to go on with, and the headers as they came. */
export function resumptionOf(
  message: IncomingMessage,
): { readonly token: string; readonly rawHeaders: readonly string[] | undefined } | undefined {
  const it = taken.get(message)
  if (it?.offer.resume === undefined) return undefined
  return { token: it.offer.resume.token, rawHeaders: it.before.rawHeaders }
}

/** The request is not for us: it gets its headers back as they came. */
export function giveOfferBack(message: IncomingMessage): void {
  const it = taken.get(message)
  if (it === undefined) return
  taken.delete(message)
  tell(message, it.before)
}

function tell(message: Headers, { value, distinct, rawHeaders }: Told): void {
  setOrDelete(message.headers, value)
  if (message.headersDistinct) setOrDelete(message.headersDistinct, distinct)
  if (rawHeaders) message.rawHeaders = rawHeaders
}

function setOrDelete<Value>(headers: NodeJS.Dict<Value>, value: Value | undefined): void {
  if (value === undefined) delete headers[HEADER]
  else headers[HEADER] = value
}

/** The same headers, with one value for all lines of this header, or without it. */
function rewritten(rawHeaders: readonly string[], ofApp: string | undefined): string[] {
  const kept: string[] = []
  let isWritten = ofApp === undefined
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const [name = '', value = ''] = rawHeaders.slice(i, i + 2)
    if (name.toLowerCase() !== HEADER) kept.push(name, value)
    else if (!isWritten) {
      kept.push(name, String(ofApp))
      isWritten = true
    }
  }
  return kept
}

/** How a server's answer names the subprotocol, in a line of the 101. */
const ANSWER = 'Sec-WebSocket-Protocol: '

/** Answers in the words of the link, where the client has offered them. */
export function answerOffer(lines: string[], offer: Offer): void {
  const index = lines.findIndex((line) => line.startsWith(ANSWER))
  const answer = offer.answerTo(index < 0 ? '' : String(lines[index]).slice(ANSWER.length))
  if (answer === undefined) return
  if (index < 0) lines.push(ANSWER + answer)
  else lines[index] = ANSWER + answer
}

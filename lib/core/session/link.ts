/**
 * The link: what our client and our server say to each other beside the messages of the app. This file reads
 * and writes it, for both sides.
 *
 * - A control frame is a text frame that begins with U+0000 and a letter. A text of the app that begins with
 *   U+0000 gets one more in front. Binary frames are never touched.
 * - The handshake rides in the offered subprotocols: `wsl.1` (or `wsl.1.chat` for the app's own `chat`), and
 *   to resume a session one more, `wsl.r.<attempt>.<received>.<token>`.
 */

/**
 * Begins a control frame, and is put before a text that begins with it. Not in templates, please: into these the bundler
 * writes the character itself, and a script with that character cannot stand in a page.
 */
export const MARK = '\0'

/** A client closes with it: "I believe that this connection is dead. Keep my session." */
export const KEEP_SESSION = 4990

/** The server closes with it: "This attempt came too late, or the session is over. Forget your token." */
export const FORGET_TOKEN = 4991

/** How long a side may wait before it tells how many messages have come, in ms. */
export const ACK_DELAY = 1_000

/** What a client has to know of its session. */
export interface Told {
  readonly token: string
  /** Whether the session of before goes on. */
  readonly isResumed: boolean
  /** How many messages the server has received in this session. */
  readonly received: number
}

/** What the server tells at first, on each connection. */
export interface Welcome extends Told {
  /** How long the session waits for a client that is away, in ms. Our client does not need it. */
  readonly window: number
}

/** A control frame. */
export type Control =
  /** Without a session: the route has no `resume`. */
  | { readonly kind: 'welcome'; readonly value: Told | undefined }
  /** "I have received so many messages." */
  | { readonly kind: 'ack'; readonly value: number }
  /** "Are you there?" It is answered by an `ack`. */
  | { readonly kind: 'probe' }
  /** "Come back at a random moment within so many ms." A close frame follows. */
  | { readonly kind: 'back'; readonly value: number }
  /** One of a later version: it is ignored. */
  | { readonly kind: 'unknown' }

const NUMBER = /^\d{1,15}$/

/**
 * @param text a text frame that begins with U+0000, and not with two of them
 * @returns `undefined` if it is malformed
 */
export function readControl(text: string): Control | undefined {
  const letter = text[1]
  const body = text.slice(2)
  try {
    if (letter === 'w') return { kind: 'welcome', value: readWelcome(body) }
    if (letter === 'a') return { kind: 'ack', value: readCount(body) }
    if (letter === 'b') return { kind: 'back', value: readCount(body) }
    if (text === PROBE) return { kind: 'probe' }
    if (letter !== 'p' && letter !== undefined) return { kind: 'unknown' }
  } catch {
    return undefined
  }
  return undefined
}

export const PROBE: string = MARK + 'p'

export function ack(received: number): string {
  return MARK + 'a' + received
}

export function back(within: number): string {
  return MARK + 'b' + within
}

export function welcome(session: Welcome | undefined): string {
  const body =
    session === undefined
      ? { v: 1 }
      : {
          v: 1,
          t: session.token,
          r: session.isResumed ? 1 : 0,
          n: session.received,
          w: session.window,
        }
  return MARK + 'w' + JSON.stringify(body)
}

/** @throws if it is malformed */
function readWelcome(body: string): Told | undefined {
  const { v, t, r, n } = JSON.parse(body) as Readonly<Record<string, unknown>>
  if (v === 1 && t === undefined) return undefined
  if (v !== 1 || typeof t !== 'string' || !TOKEN.test(t)) throw new Error()
  return { token: t, isResumed: r === 1, received: readCount(n) }
}

/** @throws if it is malformed */
function readCount(value: unknown): number {
  if (!NUMBER.test(String(value))) throw new Error()
  return Number(value)
}

/** A request to go on with a session. */
export interface ResumeRequest {
  /** The number of this attempt, counted by the client. */
  readonly attempt: number
  /** How many messages of this session the client has received. */
  readonly received: number
  readonly token: string
}

const TOKEN = /^[\w.-]{1,64}$/
const LINK = 'wsl.1'
const RESUME = 'wsl.r.'
const REQUEST = /^(\d{1,15})\.(\d{1,15})\.([\w.-]{1,64})$/

/**
 * The subprotocols that a client offers.
 * @param resume the members of a {@link ResumeRequest}, in this order; none: to begin a session
 */
export function offered(
  protocols: readonly string[],
  ...resume: [] | [attempt: number, received: number, token: string]
): string[] {
  const names = protocols.length > 0 ? protocols.map((name) => `${LINK}.${name}`) : [LINK]
  if (resume.length > 0) names.push(RESUME + resume.join('.'))
  return names
}

/** The app's subprotocol in the server's answer; `undefined` if the server does not speak the link. */
export function protocolIn(answer: string): string | undefined {
  if (answer === LINK) return ''
  const name = answer.slice(LINK.length + 1)
  return name !== '' && answer.startsWith(`${LINK}.`) ? name : undefined
}

/** What a client has offered, read by the server. */
export interface Offer {
  /** What the app is offered. */
  readonly protocols: readonly string[]
  readonly resume: ResumeRequest | undefined
  /**
   * The subprotocol to answer with, for the one that was chosen for the app (`''`: none).
   * @returns `undefined` if the client has not offered it with the link
   */
  answerTo(chosen: string): string | undefined
}

/** @param header `Sec-WebSocket-Protocol` of a request */
export function readOffer(header: string): Offer {
  const protocols: string[] = []
  const linked = new Set<string>()
  const requests: string[] = []
  for (const given of header.split(',')) {
    const name = given.trim()
    const ofApp = protocolIn(name)
    if (name.startsWith(RESUME)) requests.push(name.slice(RESUME.length))
    else if (ofApp === undefined && !linked.has(name)) protocols.push(name)
    else if (ofApp !== undefined) linked.add(ofApp)
    if (ofApp && !protocols.includes(ofApp)) protocols.push(ofApp)
  }
  return {
    protocols,
    // Without a link nobody can tell how many messages have come.
    resume: requests.length === 1 && linked.size > 0 ? readRequest(requests.join()) : undefined,
    answerTo(chosen) {
      if (!linked.has(chosen)) return undefined
      return chosen === '' ? LINK : `${LINK}.${chosen}`
    },
  }
}

/** @returns `undefined` if it is malformed: then the session begins anew */
function readRequest(text: string): ResumeRequest | undefined {
  const [, attempt, received, token] = REQUEST.exec(text) ?? []
  if (token === undefined) return undefined
  return { attempt: Number(attempt), received: Number(received), token }
}

import { randomBytes } from 'node:crypto'
import { type ClientRequest, type IncomingHttpHeaders, request as http } from 'node:http'
import { request as https } from 'node:https'
import type { Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import type { PeerOptions } from './api.js'
import { inTime, LATE } from './wait.js'
import type { Where } from './where.js'

/** An upgrade that was refused: it has the whole HTTP answer. */
export class UpgradeRefusedError extends Error {
  /** For example 403. */
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: string

  constructor(path: string, status: number, headers: IncomingHttpHeaders, body: string) {
    super(`Expected a WebSocket on ${path}, got ${status}: ${body}`)
    this.name = 'UpgradeRefusedError'
    this.status = status
    this.headers = headers
    this.body = body
  }
}

/** A connection after its 101. */
export interface Opened {
  readonly socket: Socket
  readonly headers: IncomingHttpHeaders
  /** What came with the 101. */
  readonly head: Buffer
}

/** An answer that is no 101. */
interface Refused {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/**
 * Asks for a WebSocket.
 * @throws (rejects with) UpgradeRefusedError, an error of the socket, or an error if no answer comes in time
 */
export async function shakeHands(
  where: Where,
  path: string,
  options: PeerOptions,
  timeout: number,
): Promise<Opened> {
  const request = ask(where, path, options)
  const answer = await inTime(answerTo(request), timeout)
  if (answer === LATE) {
    request.destroy()
    throw new Error(
      `Expected an answer to the upgrade of ${path} within ${timeout} ms, got none; its hooks may still run`,
    )
  }
  if ('socket' in answer) return answer
  throw new UpgradeRefusedError(path, answer.status, answer.headers, answer.body)
}

function ask({ place, isTls, server }: Where, path: string, options: PeerOptions): ClientRequest {
  const { headers, protocols, tls } = options
  const request = (isTls ? https : http)({
    ...('path' in place ? { socketPath: place.path } : place),
    // A server of this process may have any certificate.
    ...(server === undefined ? tls : { rejectUnauthorized: false, ...tls }),
    path,
    agent: false,
    headers: {
      connection: 'Upgrade',
      upgrade: 'websocket',
      'sec-websocket-version': '13',
      'sec-websocket-key': randomBytes(16).toString('base64'),
      ...(protocols === undefined ? undefined : { 'sec-websocket-protocol': protocols.join(', ') }),
      ...(headers as Record<string, string>),
    },
  })
  return request.end()
}

async function answerTo(request: ClientRequest): Promise<Opened | Refused> {
  return new Promise((resolve, reject) => {
    request.on('error', reject)
    request.on('upgrade', ({ headers }, socket: Socket, head) => resolve({ socket, headers, head }))
    request.on('response', (response) => {
      const { statusCode: status = 0, headers } = response
      text(response).then((body) => resolve({ status, headers, body }), reject)
    })
  })
}

import { once } from 'node:events'
import { WebSocket, type ClientOptions } from 'ws'
import {
  type PeerOptions,
  type PeerTarget,
  UpgradeRefusedError,
} from '../../../lib/testing/index.js'
import { connect } from './connect.js'

export interface Closed {
  readonly code: number
  readonly reason: string
}

/** ws, with nothing that it receives lost: for what a peer of the kit does not do, as to compress. */
export class Client {
  readonly ws: WebSocket
  /** All that has come so far: messages, and the close frame as `close <code> <reason>`. */
  readonly events: string[] = []
  readonly closed: Promise<Closed>
  #taken = 0
  #wake: (() => void) | undefined

  constructor(url: string, options: ClientOptions = {}, protocols: string[] = []) {
    this.ws = new WebSocket(url, protocols, options)
    this.ws.on('message', (data: Buffer) => this.#note(data.toString()))
    this.ws.on('error', () => {})
    this.closed = new Promise((resolve) => {
      this.ws.on('close', (code, reason) => {
        this.#note(`close ${code} ${reason.toString()}`.trimEnd())
        resolve({ code, reason: reason.toString() })
      })
    })
  }

  static async open(url: string, options?: ClientOptions, protocols?: string[]): Promise<Client> {
    const client = new Client(url, options, protocols)
    await once(client.ws, 'open')
    return client
  }

  /** The next event that was not taken yet. */
  async next(): Promise<string> {
    while (this.events.length <= this.#taken) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
    return this.events[this.#taken++] as string
  }

  /** Resolves when the server has answered: it has read all that was sent before. */
  async roundTrip(): Promise<void> {
    const pong = once(this.ws, 'pong')
    this.ws.ping()
    await pong
  }

  #note(event: string): void {
    this.events.push(event)
    this.#wake?.()
  }
}

/** An HTTP answer to an upgrade. */
export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: string
}

/** What a client gets that is refused; resolves when the body is there. */
export async function refusal(target: PeerTarget, options: PeerOptions = {}): Promise<Answer> {
  const outcome = await connect(target, undefined, options).catch((error: unknown) => error)
  if (outcome instanceof UpgradeRefusedError) return outcome
  if (outcome instanceof Error) throw outcome
  throw new Error('Expected the upgrade to be refused, but it opened')
}

/** An answer as RawPeer reads it. */
export function parseAnswer(answer: string): Answer {
  const [head = '', ...rest] = answer.split('\r\n\r\n')
  const [statusLine = '', ...lines] = head.split('\r\n')
  const headers = Object.fromEntries(
    lines.map((line): [string, string] => {
      const colon = line.indexOf(':')
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()]
    }),
  )
  return { status: Number(statusLine.split(' ')[1]), headers, body: rest.join('\r\n\r\n') }
}

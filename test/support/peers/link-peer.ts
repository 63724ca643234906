import { once } from 'node:events'
import type { Socket } from 'node:net'
import { WebSocket } from 'ws'
import {
  ack,
  offered,
  readControl,
  type ResumeRequest,
  type Told,
} from '../../../lib/core/session/link.js'
import { within } from '../time/bound.js'
import { sendReset } from './send-reset.js'

export interface Dial {
  readonly protocols?: readonly string[]
  readonly resume?: ResumeRequest
  /** Offers these names as they are. */
  readonly raw?: string[]
  readonly headers?: Readonly<Record<string, string>>
}

/** A client that speaks the link by hand: it confirms nothing by itself, and goes as clients go in the wild. */
export class LinkPeer {
  readonly ws: WebSocket
  /** All frames that have come: `welcome`, `a3`, messages as they are, binary ones as `<hex>`, `close 1000 reason`. */
  readonly frames: string[] = []
  readonly closed: Promise<string>
  #welcome: Told | undefined
  #taken = 0
  #wake: (() => void) | undefined

  constructor(url: string, { protocols = [], resume, raw, headers = {} }: Dial = {}) {
    const { attempt = 0, received = 0, token } = resume ?? {}
    const names =
      token === undefined ? offered(protocols) : offered(protocols, attempt, received, token)
    this.ws = new WebSocket(url, raw ?? names, { headers: { ...headers } })
    this.ws.on('error', () => {})
    this.ws.on('message', (data: Buffer, isBinary) => {
      this.#note(isBinary ? `<${data.toString('hex')}>` : this.#read(data.toString()))
    })
    this.closed = new Promise((resolve) => {
      this.ws.on('close', (code, reason) => {
        const frame = `close ${code} ${reason.toString()}`.trimEnd()
        this.#note(frame)
        resolve(frame)
      })
    })
  }

  /** Connects, and takes the welcome. */
  static async connect(url: string, dial?: Dial): Promise<LinkPeer> {
    const peer = new LinkPeer(url, dial)
    await peer.expect('welcome')
    return peer
  }

  /** Connects anew, and confirms the welcome: from now on its session survives. */
  static async confirmed(url: string, dial?: Dial): Promise<LinkPeer> {
    const peer = await LinkPeer.connect(url, dial)
    peer.ack(0)
    await peer.roundTrip()
    return peer
  }

  /** The welcome of its session. */
  get welcome(): Told {
    if (this.#welcome === undefined) throw new Error('Expected a welcome with a session')
    return this.#welcome
  }

  /** What to ask for to go on with its session. */
  resume(attempt: number, received: number): ResumeRequest {
    return { attempt, received, token: this.welcome.token }
  }

  /** The next frame that was not taken yet. */
  async next(): Promise<string> {
    while (this.frames.length <= this.#taken) {
      const came = new Promise<void>((resolve) => {
        this.#wake = resolve
      })
      const last = this.frames.slice(-8).map((frame) => frame.slice(0, 80))
      await within(came, `a frame after ${JSON.stringify(last)}`)
    }
    return this.frames[this.#taken++] as string
  }

  /** Number of frames that have come and were not taken yet. */
  get untaken(): number {
    return this.frames.length - this.#taken
  }

  /** Takes the next frame, which has to be this one. */
  async expect(frame: string): Promise<void> {
    const came = await this.next()
    if (came !== frame) throw new Error(`Expected ${frame}, got ${JSON.stringify(came)}`)
  }

  send(frame: string | Buffer): void {
    this.ws.send(frame)
  }

  ack(received: number): void {
    this.ws.send(ack(received))
  }

  /** Resolves when the server has read all that was sent before. */
  async roundTrip(): Promise<void> {
    const pong = once(this.ws, 'pong')
    this.ws.ping()
    await within(pong, 'a pong')
  }

  /** Sends a RST. */
  cut(): void {
    sendReset(this.raw)
  }

  /** The stream under its socket. */
  get raw(): Socket {
    return Reflect.get(this.ws, '_socket') as Socket
  }

  #read(text: string): string {
    if (!text.startsWith('\0')) return text
    if (text.startsWith('\0\0')) return text.slice(1)
    const control = readControl(text)
    if (control?.kind === 'welcome') {
      this.#welcome = control.value
      return 'welcome'
    }
    return text.slice(1)
  }

  #note(frame: string): void {
    this.frames.push(frame)
    this.#wake?.()
  }
}

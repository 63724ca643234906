import type { IncomingMessage } from 'node:http'
import { connect, type Socket } from 'node:net'

/** Where pages connect to. Their bytes pass through here on their way to the room. */
const PATH = '/line'

/** For how long the network of a visitor fails, in ms. */
const DOWN_FOR = { cut: 3_000, silence: 10_000 }

/** How it fails. */
export type Failure = keyof typeof DOWN_FOR

export function isFailure(name: string): name is Failure {
  return Object.hasOwn(DOWN_FOR, name)
}

export function isLine({ url = '' }: IncomingMessage): boolean {
  return url.startsWith(PATH)
}

/** The TCP lines between pages and the room: each can fail, while neither of its ends does anything. */
export class Lines {
  /** By the port of the line at its room's end. */
  readonly #open = new Map<number, Line>()
  /** Until when a visitor has no network, by name; as `performance.now()` counts. */
  readonly #downUntil = new Map<string, number>()

  /** Takes an upgrade request, and hands it on as soon as the visitor has a network. */
  take(request: IncomingMessage, head: Buffer): void {
    const { url = '', socket: page } = request
    const name = new URL(url, 'ws://room').searchParams.get('name') ?? ''
    const wait = (this.#downUntil.get(name) ?? 0) - performance.now()
    page.on('error', ignore)
    if (wait <= 0) this.#handOn(request, head)
    else setTimeout(() => this.#handOn(request, head), wait).unref()
  }

  /**
   * @param port of the room's end
   * @returns for how long, in ms; `undefined` where there is no such line
   */
  fail(port: number, name: string, how: Failure): number | undefined {
    const line = this.#open.get(port)
    if (line === undefined) return undefined
    const downFor = DOWN_FOR[how]
    this.#downUntil.set(name, performance.now() + downFor)
    if (how === 'cut') line.cut()
    else line.fallSilent(downFor)
    return downFor
  }

  /** The server closes. */
  close(): void {
    for (const line of this.#open.values()) line.cut()
    this.#downUntil.clear()
  }

  #handOn(request: IncomingMessage, head: Buffer): void {
    const { rawHeaders, socket: page, url = '' } = request
    const { localAddress: host, localPort: port } = page
    if (host === undefined || port === undefined) return // the page has gone
    const room = connect({ host, port, allowHalfOpen: true })
    room.on('error', ignore)
    const headers = rawHeaders.map((text, i) => (i % 2 === 0 ? `${text}: ` : `${text}\r\n`))
    room.write(`GET ${url.replace(PATH, '/room')} HTTP/1.1\r\n${headers.join('')}\r\n`)
    room.write(head)
    const line = new Line(page, room)
    room.once('connect', () => {
      const end = room.localPort ?? 0
      this.#open.set(end, line)
      page.once('close', () => this.#open.delete(end))
    })
  }
}

class Line {
  readonly #page: Socket
  readonly #room: Socket
  #isSilent = false

  constructor(page: Socket, room: Socket) {
    this.#page = page
    this.#room = room
    this.#pass(page, room)
    this.#pass(room, page)
  }

  cut(): void {
    this.#page.resetAndDestroy()
    this.#room.resetAndDestroy()
  }

  /** What either side says is lost on the way, as where a phone has no signal. At last the line breaks. */
  fallSilent(duration: number): void {
    this.#isSilent = true
    for (const end of [this.#page, this.#room]) end.unpipe().resume()
    setTimeout(() => this.cut(), duration).unref()
  }

  #pass(from: Socket, to: Socket): void {
    from.pipe(to)
    from.once('close', (isBroken: boolean) => {
      if (this.#isSilent) return
      if (isBroken) to.resetAndDestroy()
      else to.end()
    })
  }
}

/** Its 'close' follows. */
function ignore(): void {}

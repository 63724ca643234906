import assert from 'node:assert/strict'
import { within } from '../time/bound.js'
import { RawPeer } from './raw-peer.js'

const HEAD_END = '\r\n\r\n'

/** A raw peer that keeps every byte that it gets: what was answered, and that nothing stands beside it. */
export class Stranger {
  readonly peer: RawPeer
  #bytes = Buffer.alloc(0)
  #wake: (() => void) | undefined

  private constructor(peer: RawPeer) {
    this.peer = peer
    peer.socket.on('data', (data) => {
      this.#bytes = Buffer.concat([this.#bytes, data])
      this.#wake?.()
    })
    peer.socket.on('close', () => this.#wake?.())
  }

  /** Sends a handshake. */
  static async dial(
    port: number,
    path = '/',
    headers: Record<string, string> = {},
  ): Promise<Stranger> {
    return new Stranger(await RawPeer.dial(port, path, headers))
  }

  /** Sends whatever it is told to. */
  static async dialWith(port: number, ...packet: Array<string | Buffer>): Promise<Stranger> {
    return new Stranger(await RawPeer.dialWith(port, ...packet))
  }

  /** All that has come so far. */
  get bytes(): string {
    return this.#bytes.toString('latin1')
  }

  /** Reads on as if nothing had come yet. */
  forget(): void {
    this.#bytes = Buffer.alloc(0)
  }

  /** Resolves when so many bytes are there, or the connection has ended. */
  async has(count: number): Promise<string> {
    while (this.#bytes.length < count && !this.peer.socket.closed) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
    return this.bytes
  }

  /** All that came until the connection ended. */
  async all(): Promise<string> {
    return within(this.has(Infinity), 'the end of the socket')
  }

  /** The head of the first answer, with the blank line. */
  async head(): Promise<string> {
    return within(this.#head(), 'an answer')
  }

  async #head(): Promise<string> {
    let bytes = await this.has(1)
    while (!bytes.includes(HEAD_END) && !this.peer.socket.closed) {
      bytes = await this.has(bytes.length + 1)
    }
    return bytes.slice(0, bytes.indexOf(HEAD_END) + HEAD_END.length)
  }
}

/** The bytes of a close frame, as a server sends it. */
export function closeBytes(code: number, reason: string | Buffer = ''): string {
  const payload = Buffer.concat([Buffer.from([code >> 8, code & 0xff]), Buffer.from(reason)])
  return RawPeer.bytes(0x88, payload, false).toString('latin1')
}

/** What the plugin's own refusals say. */
const REASONS: Readonly<Record<number, string>> = { 1013: 'limit', 3003: 'origin', 4429: 'key' }

/** That an upgrade got a 101 and this close frame; the stranger has not answered it. */
export async function assertTurnedAway(
  stranger: Stranger,
  code: number,
  reason: string | Buffer = REASONS[code] ?? '',
): Promise<void> {
  const head = await stranger.head()
  assert.match(head, /^HTTP\/1\.1 101 /)
  const frame = closeBytes(code, reason)
  const bytes = await within(stranger.has(head.length + frame.length), 'a close frame')
  assert.equal(bytes.slice(head.length), frame)
}

/** That an upgrade got a 101, this close frame, the end of its socket, and not one byte more. */
export async function assertClosedAtOnce(
  stranger: Stranger,
  code: number,
  reason?: string | Buffer,
): Promise<void> {
  await assertTurnedAway(stranger, code, reason)
  const { bytes } = stranger
  stranger.peer.send(RawPeer.closeFrame(code))
  assert.equal(await stranger.all(), bytes)
}

/** That an upgrade got one HTTP answer, the end of its socket, and not one byte more. */
export async function assertAnswered(
  stranger: Stranger,
  status: number,
  body: RegExp = /^/,
): Promise<string> {
  const bytes = await stranger.all()
  const [head = '', ...rest] = bytes.split(HEAD_END)
  assert.match(head, new RegExp(`^HTTP/1\\.1 ${status} `), bytes)
  const length = Number(/^content-length: (\d+)$/im.exec(head)?.[1])
  assert.equal(rest.join(HEAD_END).length, length, bytes)
  assert.match(rest.join(HEAD_END), body)
  return bytes
}

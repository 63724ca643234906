import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { cert } from '../servers/tls.js'
import { until } from '../time/timed.js'

/** One end of a TCP connection: what has come, and how it has ended. */
export class RawStream {
  readonly socket: Socket
  /** `end` (a FIN), the code of an error, `close`; in order. */
  readonly ends: string[] = []
  #chunks: Buffer[] = []

  constructor(socket: Socket) {
    this.socket = socket
    socket.on('data', (chunk: Buffer) => this.#chunks.push(chunk))
    socket.on('end', () => this.ends.push('end'))
    socket.on('error', (error: NodeJS.ErrnoException) => this.ends.push(String(error.code)))
    socket.on('close', () => this.ends.push('close'))
  }

  /** Connects, and ends its own direction when it is told to. */
  static async dial(port: number, secure = false): Promise<RawStream> {
    const options = { port, host: '127.0.0.1', allowHalfOpen: true }
    const socket = secure
      ? connectTls({ ...options, ca: cert, servername: 'localhost' })
      : connect(options)
    await once(socket, secure ? 'secureConnect' : 'connect')
    return new RawStream(socket)
  }

  get bytes(): Buffer {
    const all = Buffer.concat(this.#chunks)
    this.#chunks = [all]
    return all
  }

  get text(): string {
    return this.bytes.toString('latin1')
  }

  get length(): number {
    return this.#chunks.reduce((sum, { length }) => sum + length, 0)
  }

  /** Resolves when so many bytes have come, or this text. */
  async came(what: number | string): Promise<void> {
    if (typeof what === 'number') await until(() => this.length >= what)
    else await until(() => this.text.includes(what))
  }

  async ended(how: string): Promise<void> {
    await until(() => this.ends.includes(how))
  }
}

import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { FIN } from '../../../lib/core/frame.js'
import { welcome } from '../../../lib/core/session/link.js'
import { bytesOf, OPCODE } from '../../../lib/testing/frames.js'
import { sendReset } from '../peers/send-reset.js'
import { turns } from '../time/fake-clock.js'

/** RFC 6455 §1.3. */
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'

/** What a server does with one connection after a right handshake. */
export interface Act {
  readonly bytes: Buffer
  readonly sizes: readonly number[]
  /** Whether the bytes come in one packet with the handshake. */
  readonly isAtOnce: boolean
  /** `cut`: in the middle, as soon as it is written. */
  readonly leave: 'fin' | 'rst' | 'cut'
}

/** What the server says when it has nothing more to play. */
export const GOOD = 'good'

/** A frame of a server: it has no mask. */
export function serverFrame(opcode: number, payload: Buffer | string, isLast = true): Buffer {
  return bytesOf((isLast ? FIN : 0) | opcode, payload, false)
}

/** A server of bytes: it shakes hands as it should, plays one act after the other, and then is a good server. */
export class HostileServer {
  readonly url: string
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  #acts: Act[] = []

  private constructor(server: Server) {
    this.#server = server
    this.url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`
    server.on('connection', (socket) => this.#greet(socket))
  }

  static async listen(): Promise<HostileServer> {
    const server = createServer({ noDelay: true })
    await once(server.listen(0, '127.0.0.1'), 'listening')
    return new HostileServer(server)
  }

  /** Number of connections that are there. */
  get size(): number {
    return this.#sockets.size
  }

  play(acts: readonly Act[]): void {
    this.#acts = [...acts]
  }

  /** Ends all connections. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  async close(): Promise<void> {
    this.cut()
    this.#server.close()
    await once(this.#server, 'close')
  }

  #greet(socket: Socket): void {
    this.#sockets.add(socket)
    socket.on('close', () => this.#sockets.delete(socket))
    // Clients go as they like.
    socket.on('error', () => {})
    let head = ''
    const read = (data: Buffer): void => {
      head += data.toString('latin1')
      if (!head.includes('\r\n\r\n')) return
      socket.off('data', read)
      socket.resume()
      void this.#perform(socket, answerTo(head), this.#acts.shift())
    }
    socket.on('data', read)
  }

  async #perform(socket: Socket, answer: Buffer, act: Act | undefined): Promise<void> {
    if (act === undefined) {
      const told = { token: GOOD, isResumed: false, received: 0, window: 60_000 }
      const isLinked = answer.includes('Sec-WebSocket-Protocol')
      const frames = isLinked ? [serverFrame(OPCODE.text, welcome(told))] : []
      socket.write(Buffer.concat([answer, ...frames, serverFrame(OPCODE.text, GOOD)]))
      return
    }
    const { bytes, isAtOnce, leave, sizes } = act
    let at = isAtOnce ? (sizes[0] ?? bytes.length) : 0
    socket.write(Buffer.concat([answer, bytes.subarray(0, at)]))
    for (let turn = 0; at < bytes.length; turn++) {
      const size = sizes[turn % sizes.length] ?? bytes.length
      if (socket.writable) socket.write(bytes.subarray(at, at + size))
      at += size
    }
    if (leave === 'fin') {
      socket.end()
      return
    }
    // In most cases the client has read all by then. It may also lose what it has not read.
    if (leave !== 'cut') await turns(20)
    sendReset(socket)
  }
}

function answerTo(head: string): Buffer {
  const [, key = ''] = /^sec-websocket-key: (.*)\r$/im.exec(head) ?? []
  const [, offered = ''] = /^sec-websocket-protocol: (.*)\r$/im.exec(head) ?? []
  const [protocol = ''] = offered.split(',')
  const lines = [
    'HTTP/1.1 101 Switching Protocols',
    'Upgrade: websocket',
    'Connection: Upgrade',
    `Sec-WebSocket-Accept: ${createHash('sha1')
      .update(key + GUID)
      .digest('base64')}`,
  ]
  if (protocol !== '') lines.push(`Sec-WebSocket-Protocol: ${protocol}`)
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n`)
}

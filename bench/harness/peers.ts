/** Raw TCP peers: as little work as possible, so that the driver is not the limit. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { frame, OPCODES } from './dialects.js'
import type { Server } from './server.js'

const HANDSHAKE = [
  'Host: localhost',
  'Origin: http://localhost',
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  '\r\n',
].join('\r\n')
const HANDSHAKE_END = /\r\n\r\n/
const AT_ONCE = 100

/** Where to connect to, and how to speak there. */
type Place = Pick<Server, 'port' | 'dialect'>

/** Opens so many connections, each ready for messages, some at a time, and tells of each at once. */
export async function open(
  place: Place,
  count: number,
  path: string = place.dialect.path,
  opened: (socket: Socket) => void = () => {},
): Promise<Socket[]> {
  const sockets: Socket[] = []
  let left = count
  const opening = async (): Promise<void> => {
    while (left-- > 0) {
      const socket = await openOne(place, path)
      sockets.push(socket)
      opened(socket)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, opening))
  return sockets
}

async function openOne({ port, dialect }: Place, path: string): Promise<Socket> {
  const socket = connect(port, '127.0.0.1').setNoDelay()
  socket.write(`GET ${path} HTTP/1.1\r\n${HANDSHAKE}`)
  await until(socket, HANDSHAKE_END)
  if (dialect.greeting !== undefined) {
    socket.write(dialect.greeting.say)
    await until(socket, dialect.greeting.until)
  }
  return socket
}

async function until(socket: Socket, pattern: RegExp): Promise<void> {
  let text = ''
  while (!pattern.test(text)) {
    const [data] = (await once(socket, 'data')) as [Buffer]
    text += data.toString('latin1')
  }
}

/** Ends connections by a FIN, and waits until the server has done so too. */
export async function end(sockets: readonly Socket[]): Promise<void> {
  await Promise.all(
    sockets.map(async (socket) => {
      socket.removeAllListeners('data').resume().end()
      if (!socket.closed) await once(socket, 'close')
    }),
  )
}

const LENGTH_FOLLOWS = 126

/** Reads frames (of up to 64 KiB), answers pings and close frames as a browser does, and tells of each. */
export function behave(socket: Socket, hears: (opcode: number) => void = () => {}): void {
  let rest = Buffer.alloc(0)
  socket.on('data', (data) => {
    const bytes = rest.length === 0 ? data : Buffer.concat([rest, data])
    let at = 0
    while (at + 2 <= bytes.length) {
      const isLong = bytes[at + 1] === LENGTH_FOLLOWS
      const start = at + (isLong ? 4 : 2)
      if (start > bytes.length) break
      const stop = start + (isLong ? bytes.readUInt16BE(at + 2) : bytes.readUInt8(at + 1))
      if (stop > bytes.length) break
      const opcode = bytes.readUInt8(at) & 0x0f
      const payload = bytes.subarray(start, stop)
      if (opcode === OPCODES.ping) socket.write(frame(OPCODES.pong, payload))
      if (opcode === OPCODES.close) socket.end(frame(OPCODES.close, payload))
      hears(opcode)
      at = stop
    }
    rest = bytes.subarray(at)
  })
}

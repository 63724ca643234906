/** Raw TCP peers: as little work as possible, so that the driver is not the limit. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { frame, OPCODES } from './dialects.js'
import type { Server } from './server.js'

export const HANDSHAKE = [
  'Host: localhost',
  'Origin: http://localhost',
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  '\r\n',
].join('\r\n')
const AT_ONCE = 100

/** Where to connect to, and how to speak there. */
type Place = Pick<Server, 'port' | 'dialect'>

/** Opens connections, each ready for messages, some at a time, and tells of each at once. */
export async function open(
  place: Place,
  count: number,
  path: string = place.dialect.path,
  opened: (socket: Socket) => void = () => {},
  headers = '',
): Promise<Socket[]> {
  const sockets: Socket[] = []
  let left = count
  const opening = async (): Promise<void> => {
    while (left-- > 0) {
      const socket = await openOne(place, path, headers)
      sockets.push(socket)
      opened(socket)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, opening))
  return sockets
}

async function openOne({ port, dialect }: Place, path: string, headers: string): Promise<Socket> {
  const { greeting } = dialect
  const socket = connect(port, '127.0.0.1').setNoDelay()
  socket.write(`GET ${path} HTTP/1.1\r\n${headers}${HANDSHAKE}`)
  await until(socket, /\r\n\r\n/)
  if (greeting !== undefined) {
    socket.write(greeting.say)
    await until(socket, greeting.until)
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

/** In place of whatever else has listened. */
export function listen(socket: Socket, hear: (data: Buffer) => void): void {
  socket.removeAllListeners('data').on('data', hear)
}

/**
 * Reads frames (of up to 125 bytes), and answers pings and close frames as a browser does.
 * @param hears is told of each frame, before it is answered
 */
export function behave(socket: Socket, hears: (opcode: number) => void = () => {}): void {
  let rest: Buffer = Buffer.alloc(0)
  listen(socket, (data) => {
    rest = rest.length === 0 ? data : Buffer.concat([rest, data])
    while (rest.length >= 2 && rest.length >= 2 + rest.readUInt8(1)) {
      const opcode = rest.readUInt8(0) & 0x0f
      const payload = rest.subarray(2, 2 + rest.readUInt8(1))
      hears(opcode)
      if (opcode === OPCODES.ping) socket.write(frame(OPCODES.pong, payload))
      if (opcode === OPCODES.close) socket.end(frame(OPCODES.close, payload))
      rest = rest.subarray(2 + payload.length)
    }
  })
}

/** What a peer has to say to each kind of server, as bytes. */

export interface Dialect {
  /** Where the server echoes. */
  readonly path: string
  /** What is said and heard after the handshake, before the first message. */
  readonly greeting?: { readonly say: Buffer; readonly until: RegExp }
  /** A message whose text has so many bytes. */
  message(bytes: number): Buffer
  /** How long its echo is on the wire. */
  echoBytes(bytes: number): number
}

const FIN = 0x80
const MASKED = 0x80
export const OPCODES = { text: 1, close: 8, ping: 9, pong: 10 } as const

/** A masked frame; its mask is zero, so that the driver has nothing to compute. */
export function frame(opcode: number, payload: Buffer | string): Buffer {
  const data = Buffer.from(payload)
  const { length } = data
  const lengths = length < 126 ? [MASKED | length] : [MASKED | 126, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.from([FIN | opcode, ...lengths, 0, 0, 0, 0]), data])
}

/** The length of an unmasked frame, as servers send them. */
export function frameBytes(payload: number): number {
  return (payload < 126 ? 2 : 4) + payload
}

export const webSocket: Dialect = {
  path: '/',
  message: (bytes) => frame(OPCODES.text, 'a'.repeat(bytes)),
  echoBytes: frameBytes,
}

/** Engine.IO 4 and Socket.IO 5: packets of text within the frames. */
const EVENT = ['42["echo","', '"]'] as const

export const socketIo: Dialect = {
  path: '/socket.io/?EIO=4&transport=websocket',
  greeting: { say: frame(OPCODES.text, '40'), until: /40\{.*\}/ },
  message: (bytes) => frame(OPCODES.text, EVENT.join('a'.repeat(bytes))),
  echoBytes: (bytes) => frameBytes(EVENT.join('').length + bytes),
}

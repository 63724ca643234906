/** The numbers of a WebSocket frame that the code needs (RFC 6455 §5.2, and §5.5 for control frames). */

/** What a frame is; it stands in the first byte. */
export const OPCODE = { text: 0x1, binary: 0x2, ping: 0x9 } as const

/** Opcodes from here on are of control frames: close, ping, pong. */
export const FIRST_CONTROL_OPCODE = 0x8

/** Stands in the first byte, too: this frame is the last of its message, or all of it. */
export const FIN = 0x80

/** A shorter length stands in the second byte; there, this number says that the length is in the next two bytes. */
export const LENGTH_FOLLOWS = 126

/** Bytes of a header that we write, for a short message and for one of up to 64 KiB; a server sends no mask. */
export const SHORT_HEADER = 2
export const LONG_HEADER = 4

/** No header has more bytes: with a length of eight bytes, and a mask. */
export const MOST_HEADER = 14

/** No control frame carries more bytes. */
export const MOST_CONTROL = 125

/** In a close frame the code comes first, and then the reason. */
export const CODE_BYTES = 2

/** The numbers of a WebSocket frame that the code needs (RFC 6455 §5.2, and §5.5 for control frames). */

/** The type of a frame: the low bits of its first byte. */
export const OPCODE = { text: 0x1, binary: 0x2, ping: 0x9 } as const

/** Opcodes from this one on are of control frames: close, ping, pong. */
export const FIRST_CONTROL_OPCODE = 0x8

/** A bit of the first byte: this frame is the last of its message, or the only one. */
export const FIN = 0x80

/** A bit of the first byte: the message is compressed (RFC 7692 §6). */
export const RSV1 = 0x40

/**
 * A length below this number is in the second byte itself. This number there means that the length is in the
 * next two bytes.
 */
export const LENGTH_FOLLOWS = 126

/** From this length on it does not fit into two bytes. {@link LONG_LENGTH_FOLLOWS} says that it is in the next eight. */
export const LONG_LENGTH = 65_536
export const LONG_LENGTH_FOLLOWS = 127

/**
 * How many bytes a header has that we write: for a short message, and for one of up to 64 KiB. A server sends
 * no mask.
 */
export const SHORT_HEADER = 2
export const LONG_HEADER = 4

/** The same for a message of 64 KiB and more. */
export const LONGEST_HEADER = 10

/** The most bytes that a header has: with a length of eight bytes, and a mask. */
export const MOST_HEADER = 14

/** The most bytes that a control frame carries. */
export const MOST_CONTROL = 125

/** How many bytes the code takes in a close frame. The reason follows it. */
export const CODE_BYTES = 2

/**
 * Numbers on which several rooms have to agree: how much is done at once, how often we look, and how slow a
 * healthy peer may be.
 */
import { LONG_HEADER } from './frame.js'

/**
 * How many connections are served in one turn of the event loop: at most a millisecond of work. Then others
 * have a turn.
 */
export const MOST_PER_TURN = 64

/**
 * The bytes of a frame beside its message, at most: the header (RFC 6455 §5.2), and the growth of a message
 * that does not compress.
 */
export const FRAME_OVERHEAD = 128

/** The longest time for which the members of a group are served before others have a turn, in ms. */
export const LONGEST_SLICE = 4

/**
 * The longest time between two looks at something that has to be watched, in ms. It does not matter if we are
 * a second late.
 */
export const LONGEST_LOOK = 1_000

/**
 * The slowest line on which a peer that answers must never be declared dead, in bytes per ms (64 KiB a
 * second).
 */
export const SLOWEST_LINE: number = 65_536 / 1000

/** The slowest reader that must never count as stuck, in bytes per ms (16 KiB a second). */
export const SLOWEST_READER: number = 16_384 / 1000

/** No kernel holds more bytes of one connection. This bounds how long a slow line excuses silence. */
export const KERNEL_HOLDS: number = 8 * 1024 * 1024

/**
 * As many bytes as a kernel would take. While the kernel takes more, so many bytes more may wait for our own
 * encryption or compression.
 */
export const KERNEL_ROOM: number = 4 * 1024 * 1024

/**
 * How many bytes of one turn of the loop are held back at most. For more bytes, one more write costs little.
 */
export const MOST_HELD: number = 16 * 1024

/**
 * How long a message may be to be held back as a copy, in bytes or units of UTF-16. A longer copy costs more
 * than a write.
 */
export const MOST_COPIED: number = 8 * 1024

/**
 * The size of the buffer for messages that are held back: {@link MOST_HELD}, and one more message with its
 * header. A unit of UTF-16 may need three bytes of UTF-8.
 */
export const ROOM_TO_HOLD: number = MOST_HELD + 3 * MOST_COPIED + LONG_HEADER

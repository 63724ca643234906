/** What several rooms have to agree on: how much is done at once, how often we look, what is slow and still in order. */
import { LONG_HEADER } from './frame.js'

/** So many connections are served in one turn of the event loop: a millisecond of work or less, then others have a turn. */
export const MOST_PER_TURN = 64

/** Between two looks at what has to be watched there are at most so many ms: nobody minds to be a second late. */
export const LONGEST_LOOK = 1_000

/** On a line that is no slower than this, a peer that answers is never declared dead, in bytes per ms (64 KiB a second). */
export const SLOWEST_LINE: number = 65_536 / 1000

/** A reader that is no slower than this is never stuck, in bytes per ms (16 KiB a second). */
export const SLOWEST_READER: number = 16_384 / 1000

/** No kernel holds more bytes of ours: this bounds for how long a slow line excuses silence. */
export const KERNEL_HOLDS: number = 8 * 1024 * 1024

/** A kernel would take so many bytes: as long as it takes more, what waits for our own encryption may be as much on top. */
export const KERNEL_ROOM: number = 4 * 1024 * 1024

/** What one turn of the loop sends is held back up to so many bytes: beyond that, one write more costs little. */
export const MOST_HELD: number = 16 * 1024

/** A message that is held back is copied up to this size, in bytes or units of UTF-16: beyond that, a copy costs more than a write. */
export const MOST_COPIED: number = 8 * 1024

/** All that is held back, and the message that makes it too much: three bytes of UTF-8 for each unit, and a header. */
export const ROOM_TO_HOLD: number = MOST_HELD + 3 * MOST_COPIED + LONG_HEADER

/** In how many pieces a message may come; names as in ws. */
export interface PieceBounds {
  /** Reads of the socket that hold parts of one frame. */
  readonly maxBufferedChunks: number
  readonly maxFragments: number
}

/** What ws allows at most, whatever a message may hold. */
const MOST: PieceBounds = { maxBufferedChunks: 256 * 1024, maxFragments: 16 * 1024 }

/** Any small message may come byte by byte. */
const LEAST = 1024

/** Smaller pieces than these on average are no way to send a large message. */
const BYTES_A_PIECE = 64

/**
 * A piece costs some 200 bytes beside what it carries, so an unfinished message of tiny ones would hold
 * many times its size: there may be fewer of them where messages are smaller.
 * @param maxPayload 0 for no limit
 */
export function pieceBounds(maxPayload: number): PieceBounds {
  if (maxPayload === 0) return MOST
  const pieces = Math.max(LEAST, Math.ceil(maxPayload / BYTES_A_PIECE))
  return {
    maxBufferedChunks: Math.min(pieces, MOST.maxBufferedChunks),
    maxFragments: Math.min(pieces, MOST.maxFragments),
  }
}

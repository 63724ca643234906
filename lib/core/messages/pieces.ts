/** In how many pieces a message may come. The names are those of ws. */
export interface PieceBounds {
  /** How many reads of the socket may hold parts of one frame. */
  readonly maxBufferedChunks: number
  readonly maxFragments: number
}

/** The most that ws itself allows, for messages of any size. */
const MOST: PieceBounds = { maxBufferedChunks: 256 * 1024, maxFragments: 16 * 1024 }

/** So many pieces are always allowed: any small message may come byte by byte. */
const LEAST = 1024

/** Nobody needs to send a large message in pieces that are smaller than this on average. */
const BYTES_A_PIECE = 64

/**
 * How many pieces are allowed for messages up to `maxPayload`. A piece costs some 200 bytes of memory beside
 * its content. So an unfinished message of tiny pieces would hold many times its size. Where messages are
 * smaller, fewer pieces are allowed.
 * @param maxPayload in bytes; 0 for no limit
 */
export function pieceBounds(maxPayload: number): PieceBounds {
  if (maxPayload === 0) return MOST
  const pieces = Math.max(LEAST, Math.ceil(maxPayload / BYTES_A_PIECE))
  return {
    maxBufferedChunks: Math.min(pieces, MOST.maxBufferedChunks),
    maxFragments: Math.min(pieces, MOST.maxFragments),
  }
}

/**
 * ws's compression of sent messages (permessage-deflate, RFC 7692), for messages that are compressed once for
 * many sockets. What the two sides have agreed on, and the options for zlib, are private in ws. They are read here
 * and nowhere else. test/platform/internals.test.ts pins them: if something moves, that test fails, and ws
 * compresses for each socket.
 */
import { promisify } from 'node:util'
import { constants, deflateRaw, deflateRawSync, type ZlibOptions } from 'node:zlib'
import type { WebSocket } from 'ws'

interface Extended {
  readonly _extensions?: Readonly<Record<string, Deflate | undefined>>
}

/** The fields of ws's extension that we use. */
interface Deflate {
  readonly params?: {
    readonly server_no_context_takeover?: boolean
    readonly server_max_window_bits?: number | true
  }
  readonly _threshold?: number
  readonly _options?: { readonly zlibDeflateOptions?: ZlibOptions }
}

/** With a flush at the end, zlib's bytes end with these. They are not sent (RFC 7692 §7.2.1). */
const EMPTY_BLOCK = 4

/**
 * The window size of a socket whose messages are each compressed by itself; 0 if that is not known, or if a
 * message also depends on those before it.
 */
export function windowBitsOf(socket: WebSocket): number {
  const params = deflateOf(socket)?.params
  if (params?.server_no_context_takeover !== true) return 0
  const { server_max_window_bits: bits } = params
  return typeof bits === 'number' ? bits : constants.Z_DEFAULT_WINDOWBITS
}

/** ws sends shorter messages as they are, in bytes. */
export function thresholdOf(socket: WebSocket): number {
  return deflateOf(socket)?._threshold ?? 0
}

/** The bytes as ws would compress them for this socket, at once. */
export function compressedAlone(socket: WebSocket, bytes: Uint8Array): Uint8Array {
  return deflateRawSync(bytes, optionsOf(socket)).subarray(0, -EMPTY_BLOCK)
}

/**
 * The same, in the thread pool.
 * @returns `undefined` if zlib refuses: so it will when ws asks it, and ws tells of that
 */
export async function compressedLater(
  socket: WebSocket,
  bytes: Uint8Array,
): Promise<Uint8Array | undefined> {
  try {
    const compressed = await promisify(deflateRaw)(bytes, optionsOf(socket))
    return compressed.subarray(0, -EMPTY_BLOCK)
  } catch {
    return undefined
  }
}

function optionsOf(socket: WebSocket): ZlibOptions {
  return {
    ...deflateOf(socket)?._options?.zlibDeflateOptions,
    // ws takes no notice of these two.
    info: false,
    maxOutputLength: undefined,
    windowBits: windowBitsOf(socket),
    finishFlush: constants.Z_SYNC_FLUSH,
  }
}

function deflateOf(socket: WebSocket): Deflate | undefined {
  return (socket as Extended)._extensions?.['permessage-deflate']
}

/**
 * What node keeps private, and nothing public tells. It is read here and nowhere else, and pinned by
 * test/platform/internals.test.ts: if something moves, that test fails, and the code below answers as if nothing were known.
 */
import type { ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'

interface Transport {
  readonly bytesWritten: number
  readonly writeQueueSize: number
}

interface NodeInternals {
  readonly _httpMessage?: ServerResponse | null
  readonly _handle?: (Partial<Transport> & { readonly _parent?: Partial<Transport> }) | null
}

/** How many bytes libuv holds because the kernel takes no more. */
export function bytesHeld(raw: Duplex): number {
  return transportOf(raw)?.writeQueueSize ?? 0
}

/**
 * How many bytes the kernel took from us, `undefined` where node does not tell. `bytesWritten`
 * counts what was handed to libuv, of which it still holds some. Over TLS only those of the TCP
 * handle below move when the peer reads.
 *
 * @param held what `bytesHeld` says right now
 */
export function bytesTaken(raw: Duplex, held: number = bytesHeld(raw)): number | undefined {
  const transport = transportOf(raw)
  const written = transport?.bytesWritten
  if (transport === undefined || written === undefined || !('writeQueueSize' in transport))
    return undefined
  return written - held
}

function transportOf(raw: Duplex): Partial<Transport> | undefined {
  const handle = (raw as NodeInternals)._handle ?? undefined
  return handle?._parent ?? handle
}

/** Whether the response to a request of this socket is not written to its end yet. */
export function isResponding(raw: Duplex): boolean {
  return responseOf(raw) !== undefined
}

/** The response that is being written to this socket. */
export function responseOf(raw: Duplex): ServerResponse | undefined {
  return (raw as NodeInternals)._httpMessage ?? undefined
}

/**
 * Whether some `AsyncLocalStorage` has a store where `resource` was made; `nobodys` was made where none had. node keeps
 * each on the resource (Node 20), or all in one object (Node 24), under symbols.
 */
export function hasStore(resource: object, nobodys: object): boolean {
  return Object.getOwnPropertySymbols(resource).some((symbol) => {
    const value: unknown = Reflect.get(resource, symbol)
    const isKnown = Object.hasOwn(nobodys, symbol)
    return value !== undefined && !(isKnown && typeof value === 'number')
  })
}

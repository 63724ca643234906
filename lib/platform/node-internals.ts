/**
 * Private fields of node, for facts that nothing public tells. They are read here and nowhere else.
 * test/platform/internals.test.ts pins them: if something moves, that test fails, and the code below answers
 * as if nothing were known.
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

/** Number of bytes that libuv holds because the kernel takes no more. */
export function bytesHeld(raw: Duplex): number {
  return transportOf(raw)?.writeQueueSize ?? 0
}

/**
 * Number of bytes that the kernel took from us, `undefined` where node does not tell. `bytesWritten` counts
 * bytes that were given to libuv, and libuv still holds some of them. Over TLS only the numbers of the TCP
 * handle below change when the peer reads.
 * @param held what `bytesHeld` returns right now
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
 * Whether some `AsyncLocalStorage` had a store when `resource` was made; `nobodys` was made where none had
 * one. node keeps each store on the resource (Node 20), or all of them in one object (Node 24), under
 * symbols.
 */
export function hasStore(resource: object, nobodys: object): boolean {
  return Object.getOwnPropertySymbols(resource).some((symbol) => {
    const value: unknown = Reflect.get(resource, symbol)
    const isKnown = Object.hasOwn(nobodys, symbol)
    return value !== undefined && !(isKnown && typeof value === 'number')
  })
}

import { once } from 'node:events'
import { connect as connectTcp, type Socket } from 'node:net'
import type { TestContext } from 'node:test'
import { connect } from 'node:tls'
import type { FastifyServerOptions } from 'fastify'
import type { LifecycleSocket } from '../../../lib/index.js'
import { turns } from '../time/fake-clock.js'
import { RawPeer } from '../peers/raw-peer.js'
import { type Connected, type OneRoute, serveOne } from './server.js'
import { canReset, isTlsPass } from './tls-pass.js'
import { cert, key } from './tls.js'

/** No kernel holds so much of ours. */
export const MORE_THAN_A_KERNEL_HOLDS: number = 32 * 1024 * 1024

/** Fills the kernel of a peer that does not read: what is sent from now on waits in our process. */
export async function clog(socket: LifecycleSocket): Promise<void> {
  socket.send(Buffer.alloc(MORE_THAN_A_KERNEL_HOLDS))
  await turns()
}

/** Lets a peer read on after {@link clog}: what was sent to clog it is skipped, and frames are read again. */
export function unclog(peer: RawPeer): void {
  const header = 10
  let left = header + MORE_THAN_A_KERNEL_HOLDS
  const listeners = peer.socket.listeners('data')
  peer.socket.removeAllListeners('data')
  peer.socket.on('data', (data: Buffer) => {
    const rest = data.subarray(left)
    left = Math.max(0, left - data.length)
    for (const listener of rest.length > 0 ? listeners : []) listener(rest)
  })
  peer.socket.resume()
}

/** Lets a peer read on whatever comes, and look at none of it. */
export function readAway(peer: RawPeer): void {
  peer.socket.removeAllListeners('data')
  peer.socket.resume()
}

/** The stream below a socket, which ws keeps to itself. */
export function rawOf(socket: LifecycleSocket): Socket {
  return Reflect.get(socket, '_socket') as Socket
}

type Written = (error?: Error | null) => void
interface Writable {
  _write: (this: Writable, chunk: unknown, encoding: BufferEncoding, callback: Written) => void
  _writev: (this: Writable, chunks: ReadonlyArray<{ chunk: unknown }>, callback: Written) => void
}

/** Notes each write that a socket's stream makes from now on: how many bytes it has. */
export function watchWrites(socket: LifecycleSocket): number[] {
  const writes: number[] = []
  const raw = rawOf(socket) as unknown as Writable
  const { _write, _writev } = raw
  raw._write = function (chunk, encoding, callback) {
    writes.push(sizeOf(chunk))
    _write.call(this, chunk, encoding, callback)
  }
  raw._writev = function (chunks, callback) {
    writes.push(chunks.reduce((bytes, { chunk }) => bytes + sizeOf(chunk), 0))
    _writev.call(this, chunks, callback)
  }
  return writes
}

function sizeOf(chunk: unknown): number {
  return typeof chunk === 'string' ? Buffer.byteLength(chunk) : (chunk as Buffer).length
}

/** A way in which bytes leave; each shows something else of what waits. */
export interface Line {
  readonly over: string
  readonly server: { readonly fastify?: FastifyServerOptions }
  /** Opens a WebSocket to whatever listens there. */
  readonly dial: (port: number, headers?: Record<string, string>) => Promise<RawPeer>
}

export const TLS: Line = {
  over: 'TLS',
  server: { fastify: { https: { key, cert } } as FastifyServerOptions },
  dial: async (port, headers) => {
    const tcp = connectTcp(port, '127.0.0.1')
    const stream = connect({ socket: tcp, ca: cert, servername: 'localhost' })
    canReset(stream, tcp)
    await once(stream, 'secureConnect')
    return RawPeer.over(stream, port, '/', headers)
  },
}

/** In the pass over TLS there is no other: what stands on the way, such as a slow line, would not know of TLS. */
export const TCP: Line = isTlsPass
  ? TLS
  : { over: 'TCP', server: {}, dial: (port, headers) => RawPeer.open(port, '/', headers) }

/** As `connectOne`, over a line. */
export async function connectOver(
  line: Line,
  t: TestContext,
  setup: OneRoute = {},
  headers: Record<string, string> = {},
): Promise<Connected> {
  const observed = await serveOne(t, { ...setup, ...line.server })
  const peer = await line.dial(observed.port, headers)
  return { ...observed, peer, socket: await observed.nextSocket() }
}

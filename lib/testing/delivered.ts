import { subscribe } from 'node:diagnostics_channel'
import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { nextTurn } from '../platform/real-time.js'
import { LONG, Patience } from './wait.js'

/** Two turns for what waits for the next poll, as lib/time/sweep.ts has it, and one to see what came of it. */
const STILL = 3
/** The same, where not all is to be seen: the other end is in another thread or process, a unix socket, or beneath TLS. */
const STILL_UNSEEN = 6
/** One end of a connection. It is only looked at: nothing is kept alive by that, and no listener is added. */
interface End {
  readonly ref: WeakRef<Socket>
  readonly isClient: boolean
  /** Ends are counted as they are made. */
  readonly number: number
  /** The other end, if it is in this thread. */
  far: End | undefined
  /** Its own port and that of the other end, once it is connected. */
  name: string | undefined
  /** How much had come and gone when it was last looked at. */
  progress: number
}

const ends = new Set<End>()
/** Those whose other end is not known, by name. */
const alone = new Map<string, End>()
/** Those that never stop sending. */
const endless = new WeakSet<Socket>()
/** The ports at which this thread has accepted somebody. */
const served = new Set<number>()
let isWatching = false
let made = 0

interface Joined {
  readonly socket: Socket
}

/** From now on each socket of this thread is known to {@link delivered}. */
export function watchSockets(): void {
  if (isWatching) return
  isWatching = true
  subscribe('net.client.socket', clientMade)
  subscribe('net.server.socket', serverMade)
}

function clientMade(message: unknown): void {
  join(message as Joined, true)
}

function serverMade(message: unknown): void {
  const { localPort } = (message as Joined).socket
  if (localPort !== undefined) served.add(localPort)
  join(message as Joined, false)
}

/**
 * Lets the loop go on until all that was sent on loopback is with whoever reads, and nothing more
 * comes of it. Who has paused, or takes nothing, is not waited for.
 */
export async function delivered(): Promise<void> {
  const patience = new Patience()
  let still = 0
  let wanted = STILL
  while (still < wanted) {
    await nextTurn()
    const { moves, onItsWay, hasUnseen } = look()
    still = moves || onItsWay !== undefined ? 0 : still + 1
    wanted = hasUnseen ? STILL_UNSEEN : STILL
    if (patience.isOver()) {
      throw new Error(
        `Expected all that was sent on loopback to arrive within ${LONG} ms, got ${onItsWay ?? 'more and more of it'}`,
      )
    }
  }
}

/** Has nobody wait until all has arrived that a socket sends, or is sent: it never stops. */
export function expectNoEndOf(socket: Socket): void {
  endless.add(socket)
}

interface Look {
  /** Whether something has come or gone since the last look. */
  moves: boolean
  onItsWay: string | undefined
  hasUnseen: boolean
}

function look(): Look {
  const seen: Look = { moves: false, onItsWay: undefined, hasUnseen: false }
  for (const end of ends) {
    const socket = here(end)
    if (socket === undefined) {
      forget(end)
      continue
    }
    introduce(end, socket)
    if (isEndless(end)) {
      seen.hasUnseen = true
      continue
    }
    const progress = progressOf(socket)
    if (progress !== end.progress) seen.moves = true
    end.progress = progress
    seen.onItsWay ??= whatComesTo(end, socket)
    if (end.far === undefined || isBeneath(socket)) seen.hasUnseen = true
  }
  return seen
}

function join({ socket }: Joined, isClient: boolean): void {
  // It counts what it has decrypted, and its other end what came: Node 20 does not tell of it at all.
  if (socket instanceof TLSSocket) return
  const end: End = {
    ref: new WeakRef(socket),
    isClient,
    number: made++,
    far: undefined,
    name: undefined,
    progress: -1,
  }
  ends.add(end)
  introduce(end, socket)
}

/** Finds the other end, once both have ports. */
function introduce(end: End, socket: Socket): void {
  // Whoever asks for the local port too early is told a wrong one from then on.
  if (end.name !== undefined || socket.remotePort === undefined) return
  const { localPort, remotePort } = socket
  end.name = `${localPort} ${remotePort}`
  const nameOfFar = `${remotePort} ${localPort}`
  const far = alone.get(nameOfFar)
  alone.delete(nameOfFar)
  if (far === undefined || isOfAnother(far, end)) {
    alone.set(end.name, end)
    return
  }
  end.far = far
  far.far = end
}

/**
 * Whether it is left over from a connection of before, with the same ports: that one was over before anybody has looked.
 * The end of a server is made after that of its client.
 */
function isOfAnother(far: End, end: End): boolean {
  return end.isClient && far.number < end.number
}

/** An end that is gone counts as long as the other one is there, or may still be connecting. */
function forget(end: End): void {
  if (end.far === undefined || here(end.far) === undefined) ends.delete(end)
}

/** The socket, unless it is gone. */
function here(end: End): Socket | undefined {
  const socket = end.ref.deref()
  return socket?.destroyed === false ? socket : undefined
}

function isEndless({ ref, far }: End): boolean {
  return [ref, far?.ref].some((each) => {
    const socket = each?.deref()
    return socket !== undefined && endless.has(socket)
  })
}

function progressOf({ bytesRead, bytesWritten, readableEnded, writableEnded }: Socket): number {
  return bytesRead + bytesWritten + Number(readableEnded) + Number(writableEnded)
}

function whatComesTo({ far: farEnd, name }: End, socket: Socket): string | undefined {
  if (socket.connecting) return 'a socket that connects'
  if (!reads(socket) || isBeneath(socket)) return undefined
  if (farEnd === undefined) {
    const isOurs = socket.remotePort !== undefined && served.has(socket.remotePort)
    return isOurs ? `a connection that is not accepted: ${name}` : undefined
  }
  const far = here(farEnd)
  if (far === undefined || far.writableEnded) {
    return socket.readableEnded || socket.readableLength > 0 ? undefined : `the end of ${name}`
  }
  const missing = sentBy(far) - socket.bytesRead
  return missing > 0 ? `${missing} bytes that are on their way: ${name}` : undefined
}

/** What a socket has sent, or waits to; not what a cork of its own holds back. */
function sentBy({ bytesWritten, writableCorked, writableLength }: Socket): number {
  return writableCorked > 0 ? bytesWritten - writableLength : bytesWritten
}

/** Whether another stream, such as TLS, may take from the kernel what comes: who knows whether it reads. */
function isBeneath({ readableFlowing, readableLength, bytesRead }: Socket): boolean {
  return readableFlowing === null && bytesRead > readableLength
}

/** Whether the socket takes from the kernel what is there. */
function reads(socket: Socket): boolean {
  return !socket.isPaused() && socket.readableLength < socket.readableHighWaterMark
}

import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import type { LifecycleSocket } from '../../../lib/index.js'
import { FakeClock } from '../time/fake-clock.js'
import { type Frame, OPCODE, RawPeer } from '../peers/raw-peer.js'
import { type Connected, connectOne } from './server.js'

const { frame } = RawPeer
export const keepalive = { interval: 1000, timeout: 500 }

/** A tenth of the shortest timeout. */
export const TICK = 50

export const BOUND = keepalive.interval * 1.1 + keepalive.timeout + 2 * TICK

/** A reader that is slow is judged here by whether it lives, not by what it takes. */
export const PATIENT = { maxAge: false } as const

export interface Timed extends Connected {
  readonly clock: FakeClock
}

export async function connectTimed(
  t: TestContext,
  route: { keepalive: unknown } = { keepalive },
): Promise<Timed> {
  const clock = new FakeClock()
  const connected = await connectOne(t, {
    clock,
    options: { outbox: PATIENT, ...(route as { keepalive: typeof keepalive }) },
  })
  return { ...connected, clock }
}

/** Collects what a peer gets, and answers pings if it is to. */
export function listen(peer: RawPeer, answers: boolean): Frame[] {
  const frames: Frame[] = []
  void (async () => {
    for (let each = await peer.next(); each !== undefined; each = await peer.next()) {
      frames.push(each)
      if (answers && each.opcode === OPCODE.ping) peer.send(frame(OPCODE.pong, each.payload))
    }
  })()
  return frames
}

/** Moves the clock until a frame has come. */
export async function nextWithin(
  clock: FakeClock,
  next: Promise<Frame | undefined>,
): Promise<Frame> {
  const come: Array<Frame | undefined> = []
  void next.then((frame) => come.push(frame))
  for (let elapsed = 0; elapsed < BOUND && come.length === 0; elapsed += 10) await clock.advance(10)
  const [frame] = come
  assert.ok(frame)
  return frame
}

export function pings(frames: readonly Frame[]): number {
  return frames.filter(({ opcode }) => opcode === OPCODE.ping).length
}

/**
 * What the kernel holds may take the slowest line some time: 8 MiB at 64 KiB/s, at most. And the two
 * kernels go on between themselves, in real time: what they still move counts as progress.
 */
export async function untilDead(clock: FakeClock, socket: LifecycleSocket): Promise<void> {
  for (let round = 0; round < 10 && socket.readyState === socket.OPEN; round++) {
    await clock.advance(128_000 + BOUND)
  }
  assert.notEqual(socket.readyState, socket.OPEN)
  assert.equal((await socket.closed).cause, 'heartbeat-timeout')
}

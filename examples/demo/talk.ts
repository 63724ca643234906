import { setTimeout as delay } from 'node:timers/promises'
import type { LifecycleSession } from 'fastify-websocket-lifecycle'
import type { RoomEvent } from './events.js'

const TALE: RoomEvent = { type: 'tale', text: 'and then '.repeat(1_800) }

/** More than any kernel holds: whoever has heard so many listens. */
const MOST = 4_000

/** Between one and the next, in ms; longer where they begin to wait, so that one can see them. */
const PAUSE = 1
const LONG_PAUSE = 60

/** Tells one client tale after tale, whether it reads them or not. */
export async function talk(session: LifecycleSession): Promise<void> {
  const tale = JSON.stringify(TALE)
  for (let i = 0; i < MOST && !session.scope.signal.aborted; i++) {
    await delay(session.send(tale) ? PAUSE : LONG_PAUSE)
  }
}

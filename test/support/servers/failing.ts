import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import type { LifecycleOptions } from '../../../lib/index.js'
import type { Place } from '../models/faults.js'
import { OPCODE, RawPeer } from '../peers/raw-peer.js'
import { type Connected, connectOne } from './server.js'

const { bytes, frame } = RawPeer
export const badFrame = bytes(0x83, 'x')
export const ping = frame(OPCODE.ping, 'still here')

export interface Failed extends Connected {
  readonly bystander: RawPeer
  readonly told: Error[]
}

/** Two connections: the first one's callback fails with `value`, the second one looks on. */
export async function connectFailing(
  t: TestContext,
  place: Place,
  fault: () => unknown,
  route: LifecycleOptions = {},
): Promise<Failed> {
  const told: Error[] = []
  let isFirst = true
  const connected = await connectOne(t, {
    route: {
      onHandlerError: (_socket, _request, error) => {
        told.push(error)
      },
      ...route,
    },
    handler: (socket) => {
      if (!isFirst) return undefined
      isFirst = false
      return place.arrange(socket, fault)
    },
  })
  const bystander = await RawPeer.open(connected.port)
  return { ...connected, told, bystander }
}

export async function assertAlive(bystander: RawPeer): Promise<void> {
  bystander.send(ping)
  assert.equal((await bystander.next())?.opcode, OPCODE.pong)
}

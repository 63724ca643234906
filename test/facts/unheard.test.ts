// Nobody listens: nothing is made to be told.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { CHANNELS, type LifecycleEventName, TRACES } from '../../lib/facts/events.js'
import { OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import { hear } from '../support/servers/hear.js'
import { connectOne } from '../support/servers/server.js'

const { frame } = RawPeer
const NAMES = Object.keys(CHANNELS) as LifecycleEventName[]

/** Counts what is told on any channel: each of these calls gets an object that was made for it. */
function countTold(t: TestContext): () => number {
  let count = 0
  const watch = (channel: object, method: string): void => {
    const own = Reflect.get(channel, method) as (...told: unknown[]) => unknown
    const value = (...told: unknown[]): unknown => {
      count++
      return own.apply(channel, told)
    }
    Object.defineProperty(channel, method, { configurable: true, value })
    t.after(() => Reflect.deleteProperty(channel, method))
  }
  for (const name of NAMES) watch(CHANNELS[name], 'publish')
  for (const { start, end, asyncStart, asyncEnd, error } of Object.values(TRACES)) {
    for (const each of [start, end, asyncStart, asyncEnd, error]) watch(each, 'publish')
    watch(start, 'runStores')
  }
  return () => count
}

/** A life in which much happens that could be told. */
async function live(t: TestContext): Promise<void> {
  const { app, peer, socket } = await connectOne(t, {
    route: {
      onMessage: () => {
        throw new Error('as asked')
      },
    },
  })
  socket.pause()
  socket.resume()
  peer.send(frame(OPCODE.text, 'hi'), frame(OPCODE.text, 'dropped'))
  await peer.nextOf(OPCODE.close)
  peer.destroy()
  await socket.closed
  const refused = await RawPeer.dial(Number(new URL(app.listeningOrigin).port), '/nowhere')
  await refused.answer()
  refused.destroy()
  await app.close()
}

test('without a listener nothing is told, and so no object is made', async (t) => {
  const told = countTold(t)
  await live(t)
  assert.equal(told(), 0)
})

test('with one listener it is told what it listens for, and nothing else', async (t) => {
  const heard = hear(t, 'connection.closed')
  const told = countTold(t)
  await live(t)
  assert.deepEqual(heard.names, ['connection.closed'])
  assert.equal(told(), 1)
})

// What the client takes from a page, a worker and Node: its world is `globalThis`.
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { LifecycleClient } from '../../lib/client/index.js'
import { ClientWorld, settled } from '../support/time/client-world.js'

/** Gives globals to a test, and takes them back. */
function withGlobals<Given extends object>(t: TestContext, given: Given): Given {
  const globals = globalThis as unknown as Record<string, unknown>
  const before = Object.keys(given).map((name) => [name, globals[name]] as const)
  Object.assign(globals, given)
  t.after(() => {
    for (const [name, value] of before) {
      if (value === undefined) delete globals[name]
      else globals[name] = value
    }
  })
  return given
}

/** A client in the real world, but for its sockets, and how often it has tried to connect. */
async function waitingClient(): Promise<{
  readonly client: LifecycleClient
  readonly sockets: ClientWorld['sockets']
  /** Lets the last attempt fail. */
  readonly fail: () => Promise<void>
}> {
  const { sockets, WebSocket } = new ClientWorld()
  const client = new LifecycleClient('wss://test/', { WebSocket, backoff: { min: 1e6, max: 1e6 } })
  async function fail(): Promise<void> {
    await settled()
    sockets.at(-1)?.fail()
    assert.equal(client.state, 'waiting')
  }
  await fail()
  return { client, sockets, fail }
}

test('tries again when the network is back, when a page is shown, and when it is visible', async (t) => {
  const window = new EventTarget()
  const { document } = withGlobals(t, {
    addEventListener: window.addEventListener.bind(window),
    document: { visibilityState: 'hidden' },
  })
  const { client, fail } = await waitingClient()
  for (const type of ['online', 'pageshow']) {
    window.dispatchEvent(new Event(type))
    assert.equal(client.state, 'connecting', type)
    await fail()
  }
  // The event of the document comes to the window too.
  for (const type of ['visibilitychange', 'offline', 'focus']) {
    window.dispatchEvent(new Event(type))
    assert.equal(client.state, 'waiting', type)
  }
  document.visibilityState = 'visible'
  window.dispatchEvent(new Event('visibilitychange'))
  assert.equal(client.state, 'connecting')
  client.close()
})

test('once it is closed it listens to nothing of the page', async (t) => {
  const window = new EventTarget()
  const listening = new Set<string>()
  withGlobals(t, {
    addEventListener(type: string, listener: () => void, options: { signal: AbortSignal }) {
      window.addEventListener(type, listener, options)
      listening.add(type)
      options.signal.addEventListener('abort', () => listening.delete(type))
    },
  })
  const { client } = await waitingClient()
  assert.deepEqual([...listening], ['online', 'pageshow', 'visibilitychange'])
  client.close()
  assert.deepEqual([...listening], [])
})

test('a worker has no document, and Node has neither', async (t) => {
  const { client } = await waitingClient()
  client.close()
  const worker = new EventTarget()
  withGlobals(t, { addEventListener: worker.addEventListener.bind(worker) })
  const other = await waitingClient()
  worker.dispatchEvent(new Event('visibilitychange'))
  assert.equal(other.client.state, 'waiting')
  worker.dispatchEvent(new Event('online'))
  assert.equal(other.client.state, 'connecting')
  other.client.close()
})

test('takes the WebSocket that is there when a client is made', async (t) => {
  const { sockets, WebSocket } = new ClientWorld()
  withGlobals(t, { WebSocket })
  const client = new LifecycleClient('wss://test/')
  await settled()
  assert.equal(sockets.length, 1)
  client.close()
})

test('has the timers and the clock of the platform', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout', 'setInterval', 'Date'], now: 5 })
  const { client, sockets } = await waitingClient()
  t.mock.timers.tick(1e6)
  await settled()
  const [, socket] = sockets
  assert.equal(client.state, 'connecting')
  socket?.welcome()
  const looks = 5_000
  for (let i = 0; i < 5; i++) t.mock.timers.tick(looks)
  assert.deepEqual(socket?.sent, [])
  t.mock.timers.tick(looks)
  assert.deepEqual(socket?.sent, ['\0p'])
  t.mock.timers.tick(looks)
  assert.equal(client.state, 'open')
  t.mock.timers.tick(looks)
  assert.notEqual(client.state, 'open')
  client.close()
  await settled()
  t.mock.timers.tick(1e6)
  assert.equal(sockets.length, 2)
})

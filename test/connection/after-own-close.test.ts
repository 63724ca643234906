// After the app's own close() or terminate() nothing more is handled; plain listeners hear what they would of ws.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { describe, test, type TestContext } from 'node:test'
import { type WebSocket, WebSocketServer } from 'ws'
import type { LifecycleSocket } from '../../lib/index.js'
import { roundTrip, texts } from '../support/peers/exchange.js'
import { delivered } from '../support/time/delivered.js'
import { turns } from '../support/time/fake-clock.js'
import { gate } from '../support/time/gate.js'
import { OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import { type Connected, connectOne, type OneRoute } from '../support/servers/server.js'
import { until } from '../support/time/timed.js'

const { bytes, closeFrame } = RawPeer

type End = (socket: WebSocket) => void

/** How somebody is kicked out. */
const KICKS: Readonly<Record<string, End>> = {
  'close()': (socket) => socket.close(4000, 'kicked'),
  'terminate()': (socket) => socket.terminate(),
}

function droppedOf({ app }: Connected): number {
  return app.websocketLifecycle.stats().dropped
}

for (const [what, kick] of Object.entries(KICKS)) {
  describe(`after ${what}`, () => {
    test('within onMessage, the messages of the same read are dropped and counted', async (t) => {
      const got: string[] = []
      const connected = await connectOne(t, {
        route: {
          onMessage: (socket, _request, message) => {
            got.push(String(message))
            if (message === 'swears') kick(socket)
          },
        },
      })
      connected.peer.send(...texts('1', 'swears', '2', '3'), closeFrame(4000))
      await connected.socket.closed
      assert.deepEqual(got, ['1', 'swears'])
      assert.equal(droppedOf(connected), 2)
    })

    test('within the first onMessage, what had waited for the handler is dropped', async (t) => {
      const loaded = gate()
      const got: string[] = []
      const connected = await connectOne(t, {
        handler: () => loaded.opened,
        route: {
          onMessage: (socket, _request, message) => {
            got.push(String(message))
            kick(socket)
          },
        },
      })
      const { peer, socket } = connected
      peer.send(...texts('1', '2', '3'))
      await roundTrip(peer)
      loaded.open()
      await delivered()
      if (!peer.hasEnded) peer.send(closeFrame(4000))
      await socket.closed
      assert.deepEqual(got, ['1'])
      assert.equal(droppedOf(connected), 2)
    })

    test('what several calls of onMessage handle may end, and none begins', async (t) => {
      const stuck = gate()
      const [begun, ended]: [string[], string[]] = [[], []]
      const connected = await connectOne(t, {
        route: {
          inbox: { concurrency: 3 },
          onMessage: async (_socket, _request, message) => {
            begun.push(String(message))
            await stuck.opened
            ended.push(String(message))
          },
        },
      })
      const { peer, socket } = connected
      peer.send(...texts('1', '2', '3', '4', '5'))
      await roundTrip(peer)
      kick(socket)
      stuck.open()
      await delivered()
      if (!peer.hasEnded) peer.send(...texts('6'), closeFrame(4000))
      await socket.closed
      assert.deepEqual(
        [begun, ended],
        [
          ['1', '2', '3'],
          ['1', '2', '3'],
        ],
      )
      assert.equal(droppedOf(connected), what === 'close()' ? 3 : 2)
    })

    test('a plain listener that does it is the last to hear that message', async (t) => {
      const got: string[] = []
      const connected = await connectOne(t, {
        handler: (socket) => socket.on('message', () => kick(socket)),
        route: { onMessage: (_socket, _request, message) => void got.push(String(message)) },
      })
      connected.peer.send(...texts('1'), closeFrame(4000))
      await connected.socket.closed
      assert.deepEqual([got, droppedOf(connected)], [[], 1])
    })

    test('it is the same where messages() reads: the loop ends', async (t) => {
      const got: string[] = []
      const connected = await connectOne(t, {
        handler: async (socket) => {
          socket.on('message', () => kick(socket))
          for await (const message of socket.messages()) got.push(String(message))
          got.push('ended')
        },
      })
      connected.peer.send(...texts('1'), closeFrame(4000))
      await connected.socket.closed
      assert.deepEqual([got, droppedOf(connected)], [['ended'], 1])
    })

    test('a loop ends at once, also while its peer does not answer', async (t) => {
      const got: string[] = []
      const ended = gate()
      const connected = await connectOne(t, {
        handler: async (socket) => {
          for await (const message of socket.messages()) {
            got.push(String(message))
            kick(socket)
          }
          ended.open()
        },
      })
      connected.peer.send(...texts('1', '2'))
      await ended.opened
      assert.deepEqual(got, ['1'])
      connected.peer.send(closeFrame(4000))
      await connected.socket.closed
      assert.equal(droppedOf(connected), 1)
    })

    test('a loop that begins then gets nothing of what waits, nor of what comes', async (t) => {
      const [loaded, looped] = [gate(), gate()]
      const got: string[] = []
      const connected = await connectOne(t, {
        handler: async (socket) => {
          await loaded.opened
          kick(socket)
          for await (const message of socket.messages()) got.push(String(message))
          looped.open()
        },
      })
      const { peer, socket } = connected
      peer.send(...texts('1', '2'))
      await roundTrip(peer)
      loaded.open()
      await looped.opened
      if (!peer.hasEnded) peer.send(...texts('3'), closeFrame(4000))
      await socket.closed
      assert.deepEqual([got, droppedOf(connected)], [[], what === 'close()' ? 3 : 2])
    })

    test('nor does one where nothing had come before', async (t) => {
      const got: string[] = []
      const connected = await connectOne(t, {
        handler: async (socket) => {
          kick(socket)
          for await (const message of socket.messages()) got.push(String(message))
        },
      })
      const { peer, socket } = connected
      if (!peer.hasEnded) peer.send(...texts('1'), closeFrame(4000))
      await socket.closed
      assert.deepEqual(got, [])
    })
  })
}

test('a message whose validation settles after close() reaches no callback', async (t) => {
  const checked = gate()
  const got: string[] = []
  const connected = await connectOne(t, {
    route: {
      inbox: { concurrency: 2 },
      schema: { message: {} },
      validatorCompiler: () => async (value: unknown) => {
        await checked.opened
        return value !== 'wrong'
      },
      onMessage: (_socket, _request, message) => void got.push(String(message)),
      onInvalidMessage: () => void got.push('invalid'),
    } as OneRoute['route'] & object,
  })
  const { peer, socket } = connected
  peer.send(...texts('"right"', '"wrong"'))
  await roundTrip(peer)
  socket.close()
  checked.open()
  await delivered()
  peer.send(closeFrame())
  await socket.closed
  assert.deepEqual([got, droppedOf(connected)], [[], 2])
})

test('what the peer has ended is no end of ours: close() and terminate() change nothing then', async (t) => {
  for (const kick of Object.values(KICKS)) {
    const stuck = gate()
    const got: string[] = []
    const connected = await connectOne(t, {
      route: {
        onMessage: async (socket, _request, message) => {
          await stuck.opened
          got.push(String(message))
          kick(socket)
        },
      },
    })
    const { peer, socket } = connected
    peer.send(...texts('1', '2'), closeFrame(1000))
    await until(() => socket.readyState === socket.CLOSED)
    stuck.open()
    assert.equal((await socket.closed).cause, 'client-close')
    assert.deepEqual([got, droppedOf(connected)], [['1', '2'], 0])
  }
})

test('a close() between a protocol error and what ws does about it is still ours', async (t) => {
  const got: string[] = []
  const connected = await connectOne(t, {
    route: {
      onMessage: async (socket, _request, message) => {
        got.push(String(message))
        // ws has parsed all of the read by then, and told nobody.
        process.nextTick(() => socket.close(4000))
        await turns(6)
      },
    },
  })
  connected.peer.send(...texts('1', '2'), bytes(0x83, 'x'))
  const { cause, sent } = await connected.socket.closed
  assert.deepEqual([cause, sent?.code], ['server-close', 4000])
  assert.deepEqual([got, droppedOf(connected)], [['1'], 1])
})

/** What a plain listener hears, on a server that does with its socket what `attach` says. */
async function heardOfWs(t: TestContext, attach: (socket: WebSocket) => void): Promise<string[]> {
  const heard: string[] = []
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
  t.after(() => server.close())
  await once(server, 'listening')
  const closed = gate()
  server.on('connection', (socket) => {
    socket.on('message', (data: Buffer) => heard.push(data.toString()))
    socket.on('error', () => {})
    socket.on('close', () => closed.open())
    attach(socket)
  })
  await talk(await RawPeer.open((server.address() as AddressInfo).port))
  await closed.opened
  return heard
}

async function talk(peer: RawPeer): Promise<void> {
  peer.send(...texts('1', 'swears', '2'))
  const isClosing = (await peer.nextOf(OPCODE.close)) !== undefined
  if (isClosing) peer.send(...texts('3'), closeFrame(4000))
}

const READERS: Readonly<Record<string, OneRoute>> = {
  'alone on its route': {},
  'beside onMessage': { route: { onMessage: () => {} } },
  'beside an onMessage that is busy': { route: { onMessage: () => turns(3) } },
  'beside a loop': {
    handler: async (socket) => {
      for await (const _ of socket.messages()) await turns(3)
    },
  },
}

for (const [what, kick] of Object.entries(KICKS)) {
  const kickLater = (socket: WebSocket): unknown => socket.on('message', kickWho)
  function kickWho(this: WebSocket, data: Buffer): void {
    if (data.toString() === 'swears') kick(this)
  }

  for (const [where, setup] of Object.entries(READERS)) {
    test(`a plain listener ${where} hears after ${what} as with bare ws`, async (t) => {
      const bare = await heardOfWs(t, kickLater)
      const heard: string[] = []
      const connected = await connectOne(t, {
        ...setup,
        handler: (socket: LifecycleSocket) => {
          socket.on('message', (data: Buffer) => heard.push(data.toString()))
          kickLater(socket)
          return setup.handler?.(socket)
        },
      })
      await talk(connected.peer)
      await connected.socket.closed
      assert.deepEqual(heard, bare)
      assert.deepEqual(bare, what === 'close()' ? ['1', 'swears', '2', '3'] : ['1', 'swears', '2'])
    })
  }
}

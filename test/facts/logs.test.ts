import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { LifecycleSocket } from '../../lib/index.js'
import { FakeClock, turns } from '../support/time/fake-clock.js'
import { type LogLine, logLines } from '../support/servers/log-lines.js'
import { OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import { type Connected, connectOne, type OneRoute } from '../support/servers/server.js'

const { bytes, closeFrame, frame } = RawPeer
const SECRET = 'tell-nobody'
const LEVEL = { debug: 20, info: 30, warn: 40, error: 50 } as const

interface End {
  readonly cause: string
  readonly level: keyof typeof LEVEL
  readonly code: number
  readonly initiator: string
  readonly clean?: true
  readonly expected?: true
  readonly setup?: OneRoute
  readonly end: (connected: Connected, clock: FakeClock) => unknown
}

const listening: OneRoute = {
  handler: (socket: LifecycleSocket) => {
    socket.on('message', () => {})
  },
}

async function answer(peer: RawPeer, code: number): Promise<void> {
  await peer.nextOf(OPCODE.close)
  peer.send(closeFrame(code, SECRET))
}

const ENDS: Readonly<Record<string, End>> = {
  'an expected close frame': {
    cause: 'client-close',
    level: 'debug',
    code: 1000,
    initiator: 'client',
    clean: true,
    expected: true,
    end: ({ peer }) => peer.send(closeFrame(1000, SECRET)),
  },
  'another close frame': {
    cause: 'client-close',
    level: 'warn',
    code: 4000,
    initiator: 'client',
    clean: true,
    end: ({ peer }) => peer.send(closeFrame(4000, SECRET)),
  },
  'a FIN': {
    cause: 'connection-lost',
    level: 'info',
    code: 1006,
    initiator: 'network',
    end: ({ peer }) => peer.finish(),
  },
  'a RST': {
    cause: 'connection-reset',
    level: 'info',
    code: 1006,
    initiator: 'network',
    end: ({ peer }) => peer.reset(),
  },
  'a RST that is expected': {
    cause: 'connection-reset',
    level: 'debug',
    code: 1006,
    initiator: 'network',
    expected: true,
    setup: { route: { expectedCloseCodes: [1006] } },
    end: ({ peer }) => peer.reset(),
  },
  'a peer that is dead': {
    cause: 'heartbeat-timeout',
    level: 'info',
    code: 1006,
    initiator: 'network',
    end: (_, clock) => clock.advance(60_000),
  },
  'a close of ours': {
    cause: 'server-close',
    level: 'debug',
    code: 4001,
    initiator: 'server',
    clean: true,
    expected: true,
    end: ({ socket, peer }) => {
      socket.close(4001, SECRET)
      return answer(peer, 4001)
    },
  },
  'a terminate of ours': {
    cause: 'server-terminate',
    level: 'debug',
    code: 1006,
    initiator: 'server',
    expected: true,
    end: ({ socket }) => socket.terminate(),
  },
  'a shutdown': {
    cause: 'shutdown',
    level: 'debug',
    code: 1012,
    initiator: 'server',
    clean: true,
    expected: true,
    end: ({ app, peer }) => {
      void app.close()
      return answer(peer, 1012)
    },
  },
  'a frame that breaks the protocol': {
    cause: 'protocol-error',
    level: 'warn',
    code: 1006,
    initiator: 'client',
    end: ({ peer }) => peer.send(bytes(0x83, SECRET)),
  },
  'a message that is too big': {
    cause: 'message-too-big',
    level: 'warn',
    code: 1006,
    initiator: 'client',
    setup: { options: { websocket: { maxPayload: 100 } } },
    end: ({ peer }) => peer.send(frame(OPCODE.text, SECRET.repeat(20))),
  },
  'a listener that throws': {
    cause: 'handler-error',
    level: 'warn',
    code: 1011,
    initiator: 'server',
    clean: true,
    end: ({ socket, peer }) => {
      socket.on('custom', () => {
        throw new Error('of the app')
      })
      socket.emit('custom')
      return answer(peer, 1011)
    },
  },
}

function ended(lines: readonly LogLine[]): LogLine[] {
  return lines.filter(({ msg }) => msg === 'WebSocket connection ended')
}

for (const [name, { cause, level, code, initiator, clean, expected, setup, end }] of Object.entries(
  ENDS,
)) {
  test(`${name} is one ${level} line, ${cause}, without what was said`, async (t) => {
    const clock = new FakeClock()
    const { lines, fastify } = logLines()
    const connected = await connectOne(
      t,
      { ...listening, ...setup, clock, fastify },
      { cookie: SECRET },
    )
    const { peer, socket } = connected
    peer.send(frame(OPCODE.text, SECRET), frame(OPCODE.ping, SECRET), frame(OPCODE.pong, SECRET))
    await peer.nextOf(OPCODE.pong)
    socket.send(SECRET)
    await end(connected, clock)
    await socket.closed
    await turns()
    const [line, ...more] = ended(lines)
    assert.ok(line)
    assert.deepEqual(more, [])
    const { time: _, pid: __, hostname: ___, duration, ...rest } = line
    assert.deepEqual(rest, {
      level: LEVEL[level],
      msg: 'WebSocket connection ended',
      reqId: socket.request.id,
      id: socket.id,
      route: '/',
      cause,
      code,
      initiator,
      clean: clean === true,
      expected: expected === true,
    })
    assert.equal(typeof duration, 'number')
    assert.ok(!JSON.stringify(lines).includes(SECRET))
  })
}

test('a healthy connection is not logged at all while it lives', async (t) => {
  const clock = new FakeClock()
  const { lines, fastify } = logLines()
  const { peer, socket } = await connectOne(t, { ...listening, clock, fastify })
  const before = lines.length
  peer.send(frame(OPCODE.text, 'x'), frame(OPCODE.ping, 'y'))
  socket.send('z')
  await clock.advance(15_000)
  assert.equal(lines.length, before)
  peer.destroy()
})

test('an error of the app is one line of level error, with the step that failed', async (t) => {
  const { lines, fastify } = logLines()
  const { peer, socket } = await connectOne(t, {
    fastify,
    handler: () => {
      throw new Error('of the app')
    },
  })
  await answer(peer, 1011)
  await socket.closed
  const errors = lines.filter((line) => line['level'] === LEVEL.error)
  assert.equal(errors.length, 1)
  const [{ id, route, step, reqId, err }] = errors as [LogLine]
  assert.deepEqual(
    { id, route, step, reqId },
    { id: socket.id, route: '/', step: 'handler', reqId: socket.request.id },
  )
  assert.equal((err as Error).message, 'of the app')
  const warnings = lines.filter((line) => line['level'] === LEVEL.warn)
  assert.equal(warnings.length, 1)
})

test('the route in a line is its pattern, not what the client asked for', async (t) => {
  const { lines, fastify } = logLines()
  const { port, app } = await connectOne(t, {
    fastify,
    routes: (app) => {
      app.get('/rooms/:id', { websocket: true }, () => {})
    },
  })
  const peer = await RawPeer.open(port, `/rooms/${SECRET}`)
  const socket = [...app.websocketLifecycle.connections].at(-1)
  peer.reset()
  await socket?.closed
  assert.equal(ended(lines).at(-1)?.['route'], '/rooms/:id')
})

test('logs go through the logger of the request, with what a hook has put into it', async (t) => {
  const { lines, fastify } = logLines()
  const { port, app } = await connectOne(t, {
    fastify,
    routes: (app) => {
      app.get(
        '/child',
        {
          websocket: true,
          onRequest: async (request) => {
            request.log = request.log.child({ tenant: 42 })
          },
        },
        () => {},
      )
    },
  })
  const peer = await RawPeer.open(port, '/child')
  const socket = [...app.websocketLifecycle.connections].at(-1)
  peer.reset()
  await socket?.closed
  assert.equal(ended(lines).at(-1)?.['tenant'], 42)
})

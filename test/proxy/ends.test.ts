// How connections end behind a real nginx: what each side learns, and that nothing waits for nginx.
import assert from 'node:assert/strict'
import { get } from 'node:https'
import { text } from 'node:stream/consumers'
import { describe, test, type TestContext } from 'node:test'
import { promisify } from 'node:util'
import type { CloseCause, LifecycleSocket } from '../../lib/index.js'
import { within } from '../support/time/bound.js'
import type { Closed } from '../support/peers/client.js'
import { FakeClock } from '../support/time/fake-clock.js'
import { OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import type { OneRoute } from '../support/servers/server.js'
import { lasted } from '../support/time/timed.js'
import { cert } from '../support/servers/tls.js'
import {
  type Behind,
  type Front,
  type RawVisitor,
  serveBehind,
  TRUSTING,
} from './support/behind.js'

const CLIENT = '127.0.0.2'

interface Connected extends Behind, RawVisitor {
  readonly clock: FakeClock
  readonly peer: RawPeer
  readonly socket: LifecycleSocket
  /** What `request.ip` said in onClose. */
  readonly ips: string[]
}

/** A raw peer's connection through nginx. */
async function connect(t: TestContext, { route, ...setup }: OneRoute = {}): Promise<Connected> {
  const clock = new FakeClock()
  const ips: string[] = []
  const behind = await serveBehind(t, {
    clock,
    fastify: TRUSTING,
    ...setup,
    route: { ...route, onClose: (_socket, { ip }) => void ips.push(ip) },
  })
  const visitor = await behind.dial(CLIENT)
  const peer = await RawPeer.over(visitor.stream, behind.nginx.port)
  return { ...behind, ...visitor, clock, ips, peer, socket: await behind.nextSocket() }
}

interface End {
  readonly end: (connected: Connected) => unknown
  readonly causes: readonly CloseCause[]
  readonly code: number
}

const ENDS: Readonly<Record<string, End>> = {
  'sends a close frame': {
    end: ({ peer }) => peer.send(RawPeer.closeFrame(4000, 'bye')),
    causes: ['client-close'],
    code: 4000,
  },
  'sends a FIN': {
    end: ({ peer }) => peer.finish(),
    causes: ['connection-lost'],
    code: 1006,
  },
  // nginx ends its own side in good order.
  'is reset': {
    end: ({ tcp }) => tcp.resetAndDestroy(),
    causes: ['connection-lost'],
    code: 1006,
  },
  // What nginx has not read of us when it ends makes the kernel reset that side too.
  'is reset while much is on its way to it': {
    end: ({ tcp, peer, socket }) => {
      peer.freeze()
      socket.send(Buffer.alloc(16 * 1024 * 1024))
      tcp.resetAndDestroy()
    },
    causes: ['connection-lost', 'connection-reset'],
    code: 1006,
  },
  'sends what is no frame': {
    end: ({ peer }) => peer.send(RawPeer.bytes(0xff)),
    causes: ['protocol-error'],
    code: 1006,
  },
  'sends half a frame, and leaves': {
    end: ({ tcp, stream }) =>
      stream.write(RawPeer.frame(OPCODE.text, 'whole').subarray(0, 4), () => tcp.resetAndDestroy()),
    causes: ['connection-lost'],
    code: 1006,
  },
  'is behind an nginx that dies': {
    end: ({ nginx }) => nginx.kill(),
    causes: ['connection-lost', 'connection-reset'],
    code: 1006,
  },
}

describe('a client that', () => {
  for (const [title, { end, causes, code }] of Object.entries(ENDS)) {
    test(`${title} ends for a known reason, and onClose still knows its address`, async (t) => {
      const connected = await connect(t)
      await end(connected)
      const close = await within(connected.socket.closed, 'the end')
      assert.ok(causes.includes(close.cause), close.cause)
      assert.equal(close.code, code)
      assert.deepEqual(connected.ips, [CLIENT])
      assert.deepEqual(connected.events, ['abort', 'unexpected', 'release'])
    })
  }

  test('says nothing any more is found, though nginx keeps both sides open', async (t) => {
    const keepalive = { interval: 1_000, timeout: 500 }
    const { clock, socket, ips, peer } = await connect(t, { route: { keepalive } })
    // The interval and a tenth, the timeout, and two ticks of the sweep.
    assert.ok((await lasted(clock, socket)) <= 1_100 + 500 + 2 * 50)
    const close = await within(socket.closed, 'the end')
    assert.equal(close.cause, 'heartbeat-timeout')
    assert.deepEqual(ips, [CLIENT])
    await within(peer.ended(), 'the end of the TCP connection')
  })

  test('leaves has the address of nginx in onClose, at an app that does not trust nginx', async (t) => {
    const { peer, socket, ips } = await connect(t, { fastify: {} })
    peer.finish()
    await within(socket.closed, 'the end')
    assert.deepEqual(ips, ['127.0.0.1'])
  })
})

interface ServersEnd {
  readonly end: (behind: Behind, socket: LifecycleSocket) => unknown
  readonly closed: Closed
}

const SERVERS_ENDS: Readonly<Record<string, ServersEnd>> = {
  'close()': {
    end: (_behind, socket) => socket.close(4001, 'moved'),
    closed: { code: 4001, reason: 'moved' },
  },
  'terminate()': {
    end: (_behind, socket) => socket.terminate(),
    closed: { code: 1006, reason: '' },
  },
  'a listener that throws': {
    end: (_behind, socket) => socket.emit('message', Buffer.from('fail'), false),
    closed: { code: 1011, reason: 'handler-error' },
  },
  'the drain': {
    end: ({ app }) => app.websocketLifecycle.drain(),
    closed: { code: 1012, reason: 'service restart' },
  },
  'app.close()': {
    end: ({ app }) => app.close(),
    closed: { code: 1012, reason: 'service restart' },
  },
}

describe('the client learns how it ended', () => {
  for (const [title, { end, closed }] of Object.entries(SERVERS_ENDS)) {
    test(`by ${title}`, async (t) => {
      const behind = await serveBehind(t, {
        clock: new FakeClock(),
        handler: (socket) =>
          void socket.on('message', () => {
            throw new Error('Nobody is told of this')
          }),
      })
      const client = await behind.open()
      const socket = await behind.nextSocket()
      await within(Promise.resolve(end(behind, socket)), 'its end')
      assert.deepEqual(await within(client.closed, 'a close'), closed)
      await within(socket.closed, 'the end')
    })
  }
})

/** Asks for a page, over a connection of its own to nginx. */
async function fetchPage({ host }: Front): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { ca: cert, family: 4, agent: false } as const
    get(`https://${host}/page`, options, (response) => resolve(text(response))).on('error', reject)
  })
}

describe('app.close()', () => {
  test('does not wait for connections that nginx keeps for later requests', async (t) => {
    const clock = new FakeClock()
    const behind = await serveBehind(t, {
      clock,
      routes: (app) => void app.get('/page', async () => 'page'),
    })
    const { app, open, nginx } = behind
    const clients = [await open(), await open()]
    assert.deepEqual(
      await Promise.all([1, 2, 3].map(() => fetchPage(behind))),
      Array(3).fill('page'),
    )
    const getConnections = promisify(app.server.getConnections.bind(app.server))
    assert.ok((await getConnections()) > clients.length)

    await within(app.close(), 'app.close()')
    for (const { closed } of clients) {
      assert.deepEqual(await within(closed, 'a close'), { code: 1012, reason: 'service restart' })
    }
    assert.equal(await getConnections(), 0)
    assert.equal(clock.pending, 0)
    await nginx.kill()
  })
})

// The span of the moment is current wherever code of the app runs, and over awaits.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import { portOf } from '../support/servers/server.js'
import {
  connectTraced,
  currentId,
  idOf,
  serveTraced,
  spans,
  traceOf,
  tracer,
} from '../support/servers/spans.js'

const { frame } = RawPeer

/** Which span was current, by the name of the place. */
class Places {
  readonly #seen = new Map<string, string | undefined>()

  see(place: string): void {
    this.#seen.set(place, currentId())
  }

  /** Sees it before an await and after it. */
  async seeLater(place: string): Promise<void> {
    this.see(place)
    await turn()
    this.see(`${place}, later`)
  }

  /** The places with the current span of each, by its name. */
  async named(): Promise<Record<string, string | undefined>> {
    const names = new Map(spans.all.map((span) => [idOf(span), span.name]))
    return Object.fromEntries(
      [...this.#seen].map(([place, id]) => [place, id === undefined ? id : names.get(id)]),
    )
  }
}

test('of the upgrade: in the hooks of Fastify, the handler, and listeners of the socket', async (t) => {
  const places = new Places()
  const app = await serveTraced(t, {
    routes: (instance) => {
      instance.addHook('onRequest', async () => places.seeLater('onRequest'))
      instance.get(
        '/rooms/:id',
        { websocket: true, preValidation: async () => places.seeLater('preValidation') },
        async (socket) => {
          socket.on('message', () => places.see('listener'))
          socket.on('pong', () => places.see('pong'))
          await places.seeLater('handler')
          socket.send('ready', () => places.see('callback of send'))
        },
      )
    },
  })
  const peer = await RawPeer.open(portOf(app), '/rooms/1?token=secret')
  await peer.next()
  peer.send(frame(OPCODE.pong), frame(OPCODE.text, 'x'), RawPeer.closeFrame(1000))
  const { name } = await spans.one('GET /rooms/:id')
  await spans.one('WebSocket end /rooms/:id')
  assert.deepEqual(await places.named(), {
    onRequest: name,
    'onRequest, later': name,
    preValidation: name,
    'preValidation, later': name,
    handler: name,
    'handler, later': name,
    'callback of send': name,
    pong: name,
    listener: name,
  })
  peer.destroy()
})

test('of the message: in onMessage, and in what it calls and awaits', async (t) => {
  const places = new Places()
  const made: Array<string | undefined> = []
  const { peer } = await connectTraced(t, {
    route: {
      onMessage: async (socket) => {
        await places.seeLater('onMessage')
        socket.send('answer', () => places.see('callback of send'))
        tracer.startActiveSpan('query', (span) => {
          made.push(span.spanContext().traceId)
          span.end()
        })
      },
    },
  })
  peer.send(frame(OPCODE.text, 'x'))
  await peer.next()
  const message = await spans.one('WebSocket message /')
  const query = await spans.one('query')
  const { name } = message
  assert.deepEqual(await places.named(), {
    onMessage: name,
    'onMessage, later': name,
    'callback of send': name,
  })
  assert.equal(query.parentSpanContext?.spanId, idOf(message))
  assert.deepEqual(made, [traceOf(message)])
  peer.destroy()
})

test('of the end: in listeners of its socket and its signal; and in each hook and release its own', async (t) => {
  const places = new Places()
  const { peer, socket } = await connectTraced(t, {
    route: {
      onUnexpectedClose: async () => places.seeLater('onUnexpectedClose'),
      onClose: async () => places.seeLater('onClose'),
    },
    handler: ({ scope }) => {
      scope.signal.addEventListener('abort', () => places.see('abort'))
      scope.defer(async function freeSeat() {
        await places.seeLater('release')
      })
    },
  })
  socket.on('close', () => places.see('close'))
  peer.reset()
  await spans.one('WebSocket end /')
  assert.deepEqual(await places.named(), {
    abort: 'WebSocket end /',
    close: 'WebSocket end /',
    onUnexpectedClose: 'WebSocket onUnexpectedClose /',
    'onUnexpectedClose, later': 'WebSocket onUnexpectedClose /',
    onClose: 'WebSocket onClose /',
    'onClose, later': 'WebSocket onClose /',
    release: 'WebSocket release freeSeat /',
    'release, later': 'WebSocket release freeSeat /',
  })
})

test('of the step: in the hooks that come before an end, and in the releases of a lost upgrade', async (t) => {
  const places = new Places()
  const app = await serveTraced(t, {
    routes: (instance) => {
      instance.get(
        '/',
        {
          websocket: true,
          onShutdown: async () => places.seeLater('onShutdown'),
          onHandlerError: async () => places.seeLater('onHandlerError'),
        },
        () => {},
      )
      instance.get(
        '/no',
        {
          websocket: true,
          preValidation: async (request, reply) => {
            request.wsScope?.defer(async () => places.seeLater('release'))
            await reply.code(401).send()
          },
        },
        () => {},
      )
      instance.get('/wrong', { websocket: true, onHandlerError: () => places.see('wrong') }, () => {
        throw new Error('wrong')
      })
    },
  })
  const port = portOf(app)
  const lost = await RawPeer.dial(port, '/no')
  await lost.answer()
  await lost.ended()
  const wrong = await RawPeer.open(port, '/wrong')
  await wrong.nextOf(OPCODE.close)
  const peer = await RawPeer.open(port, '/')
  const closing = app.close()
  await peer.nextOf(OPCODE.close)
  peer.send(RawPeer.closeFrame(1012))
  wrong.destroy()
  await closing
  assert.deepEqual(await places.named(), {
    release: 'WebSocket release /no',
    'release, later': 'WebSocket release /no',
    wrong: 'WebSocket onHandlerError /wrong',
    onShutdown: 'WebSocket onShutdown /',
    'onShutdown, later': 'WebSocket onShutdown /',
  })
  peer.destroy()
})

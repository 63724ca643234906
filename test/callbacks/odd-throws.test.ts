// Every callback of a connection, with everything that JavaScript lets it throw: the process lives, the
// connection's end is complete, and the log is told.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { LifecycleSocket, RouteLifecycleOptions } from '../../lib/index.js'
import { within } from '../support/time/bound.js'
import { delivered } from '../support/time/delivered.js'
import { ERROR_PLACES, LATE_PLACES, type Place, PLACES } from '../support/models/faults.js'
import { logLines } from '../support/servers/log-lines.js'
import { ODD_ENDS, ODD_VALUES, watchProcess } from '../support/models/odd-values.js'
import { OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import { portOf, serve } from '../support/servers/server.js'

const { closeFrame, frame } = RawPeer
const message = frame(OPCODE.text, 'hello')
const badFrame = RawPeer.bytes(0x83, 'x')

/** Where a callback stands, and what ends its connection if that does not. */
interface OddPlace extends Partial<Place> {
  readonly options?: (fault: (request: FastifyRequest) => unknown) => RouteLifecycleOptions
  readonly leave?: (peer: RawPeer, app: FastifyInstance) => unknown
}

const reset = (peer: RawPeer): void => peer.reset()

function leaving(places: Readonly<Record<string, Place>>, leave: OddPlace['leave']): typeof ALL {
  return Object.fromEntries(
    Object.entries(places).map(([name, place]) => [name, { ...place, ...(leave && { leave }) }]),
  )
}

/** Emits whatever comes of it as an 'error'. */
async function emitError(socket: LifecycleSocket, fault: () => unknown): Promise<void> {
  try {
    await fault()
  } catch (value) {
    socket.emit('error', value)
  }
}

const HOOKS: Readonly<Record<string, OddPlace>> = {
  onMessage: {
    options: (fault) => ({ onMessage: (_socket, request) => fault(request) }),
    trigger: message,
  },
  onInvalidMessage: {
    options: (fault) => ({
      schema: { message: false },
      onMessage: () => {},
      onInvalidMessage: (_socket, request) => fault(request),
    }),
    trigger: message,
  },
  onUnexpectedClose: {
    options: (fault) => ({ onUnexpectedClose: (_socket, request) => fault(request) }),
    leave: reset,
  },
  onClose: {
    options: (fault) => ({ onClose: (_socket, request) => fault(request) }),
    leave: reset,
  },
  onHandlerError: {
    options: (fault) => ({ onHandlerError: (_socket, request) => fault(request) }),
    arrange: () => Promise.reject(new Error('of the app')),
  },
  onShutdown: {
    options: (fault) => ({ onShutdown: (_socket, request) => fault(request) }),
    leave: (_peer, app) => void app.close(),
  },
}

const ALL: Readonly<Record<string, OddPlace>> = {
  ...PLACES,
  ...leaving(LATE_PLACES, reset),
  ...leaving(ERROR_PLACES, (peer) => peer.send(badFrame)),
  ...HOOKS,
  'a loop over messages()': {
    arrange: async (socket, fault) => {
      for await (const _ of socket.messages()) await fault()
    },
    trigger: message,
  },
  'a release that comes late': {
    arrange: (socket, fault) => void socket.closed.then(() => socket.scope.defer(fault)),
    leave: reset,
  },
  "the app, which emits an 'error'": {
    arrange: (socket, fault) => void setImmediate(() => emitError(socket, fault)),
  },
  "the app, which emits an 'error' that is heard": {
    arrange: (socket, fault) => {
      socket.on('error', () => {})
      socket.addEventListener('error', () => {})
      setImmediate(() => emitError(socket, fault))
    },
  },
}

interface Seen {
  socket?: LifecycleSocket
  closes: number
  releases: number
  readonly told: unknown[]
}

const nameOf = ({ headers }: FastifyRequest): string => String(headers['x-odd'])

for (const [where, place] of Object.entries(ALL)) {
  describe(where, () => {
    for (const [how, end] of Object.entries(ODD_ENDS)) {
      const isFine = how === 'that returns'
      const fault = (request: FastifyRequest): unknown => end(ODD_VALUES[nameOf(request)]?.())
      test(`${how} any odd value harms its connection at most, which ends as any other`, async (t) => {
        const assertQuiet = watchProcess(t)
        const { lines, fastify } = logLines()
        const seen = new Map(
          Object.keys(ODD_VALUES).map((name): [string, Seen] => [
            name,
            { closes: 0, releases: 0, told: [] },
          ]),
        )
        const seenOf = (request: FastifyRequest): Seen => seen.get(nameOf(request)) as Seen
        const app = await serve(t, {
          fastify,
          options: {
            onClose: (_socket, request) => void seenOf(request).closes++,
            onHandlerError: (_socket, request, error) => void seenOf(request).told.push(error),
          },
          routes: (app) => {
            app.get('/', { websocket: true, ...place.options?.(fault) }, (socket, request) => {
              seenOf(request).socket = socket
              // Once somebody has asked for the signal, errors are compared with the reason of its end.
              void socket.scope.signal
              socket.scope.defer(() => seenOf(request).releases++)
              return place.arrange?.(socket, () => fault(request))
            })
          },
        })
        const live = async (name: string): Promise<RawPeer> => {
          const peer = await RawPeer.open(portOf(app), '/', { 'x-odd': name })
          if (place.trigger !== undefined) peer.send(place.trigger)
          return peer
        }
        const peers = await Promise.all([...seen.keys()].map(live))
        for (const peer of peers) {
          void peer.nextOf(OPCODE.close).then(() => peer.send(closeFrame(1011)))
          place.leave?.(peer, app)
          if (isFine) peer.send(closeFrame(1000))
        }
        for (const [name, { socket }] of seen)
          await within(socket?.closed ?? Promise.reject(), name)
        await delivered()
        for (const [name, { socket, closes, releases, told }] of seen) {
          assert.deepEqual({ name, closes, releases }, { name, closes: 1, releases: 1 })
          assert.ok(told.every((error) => error instanceof Error))
          const failures = lines.filter(({ id, level }) => id === socket?.id && level === 50)
          if (!isFine) assert.notEqual(failures.length, 0, name)
        }
        assertQuiet()
      })
    }
  })
}

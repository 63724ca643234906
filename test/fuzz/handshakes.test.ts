// Handshakes, right, wrong and mutated, cut anywhere: no place stays taken, and nobody else notices.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import fastifyWebsocket from '@fastify/websocket'
import Fastify, { type FastifyInstance } from 'fastify'
import * as fc from 'fast-check'
import { nothingLeft } from '../../lib/testing/index.js'
import { fuzz } from '../support/models/fuzz.js'
import { handshake, handshakes } from '../support/models/handshakes.js'
import { WirePeer } from '../support/peers/wire-peer.js'
import { endWith, portOf } from '../support/servers/app.js'
import { EchoServer } from '../support/servers/echo-routes.js'
import { delivered } from '../support/time/delivered.js'
import { until } from '../support/time/timed.js'
import { watchUncaught } from '../support/time/uncaught.js'

type Leave = 'fin' | 'rst' | 'in silence'

const leaves = fc.constantFrom<Leave[]>('fin', 'rst', 'in silence')

/** A server with a bystander, and one place more. */
class Door {
  readonly server: EchoServer
  readonly #bystander: WirePeer
  #echoes = 0

  private constructor(server: EchoServer, bystander: WirePeer) {
    this.server = server
    this.#bystander = bystander
  }

  static async open(t: TestContext): Promise<Door> {
    const server = await EchoServer.serve(t, {
      maxConnections: 2,
      websocket: { perMessageDeflate: true },
    })
    return new Door(server, await WirePeer.open(server.port, EchoServer.path('plain', 'by')))
  }

  /** The one place is free again, and the bystander lives. */
  async check(): Promise<void> {
    const { websocketLifecycle } = this.server.app
    await until(() => websocketLifecycle.connections.size === 1)
    await delivered()
    const next = await WirePeer.open(this.server.port, EchoServer.path('plain', 'next'))
    next.socket.end()
    await next.ended()
    await until(() => websocketLifecycle.connections.size === 1)
    await this.#bystander.write(Buffer.from([0x81, 0x81, 0, 0, 0, 0, 0x78]))
    await this.#bystander.came(++this.#echoes)
    assert.equal(this.#bystander.frames.at(-1)?.payload.toString(), 'x')
    this.server.forget()
  }

  async close(): Promise<void> {
    this.#bystander.socket.end()
    await this.#bystander.ended()
    await nothingLeft(this.server.app)
  }
}

/** Says it, and waits until there is nothing more to come. Silence ends with a RST, for else it would not end. */
async function say(port: number, bytes: Buffer, leave: Leave): Promise<WirePeer> {
  const peer = await WirePeer.dial(port)
  await peer.write(bytes)
  if (leave !== 'fin') await delivered()
  if (leave === 'fin') peer.socket.end()
  else peer.socket.resetAndDestroy()
  await peer.ended()
  return peer
}

function statusOf({ text }: WirePeer): string | undefined {
  return /^HTTP\/1.1 (\d{3}) /.exec(text)?.[1]
}

/**
 * Whether we are to answer as others do. Offers of the link are ours alone, and so is it that a body is refused. And to us
 * `Upgrade` is a list (RFC 9110 §7.8), in which `websocket` may stand beside others, or not at all: then it is a plain request.
 */
function isSame(bytes: Buffer): boolean {
  const text = bytes.toString('latin1')
  const upgrades = [...text.matchAll(/^upgrade[ \t]*:([^\r\n]*)/gim)]
  const isPlain = upgrades.every(([, value = '']) => value.trim().toLowerCase() === 'websocket')
  const hasBody = /^(?:content-length|transfer-encoding)[ \t]*:/im.test(text)
  return isPlain && upgrades.length <= 1 && !hasBody && !text.includes('wsl.')
}

/** Its routes behave as those of {@link EchoServer}; of it only the status is asked. */
async function bareApp(t: TestContext): Promise<FastifyInstance> {
  const app = Fastify()
  endWith(t, app)
  await app.register(fastifyWebsocket, { options: { perMessageDeflate: true } })
  for (const path of ['/plain', '/session']) {
    app.get(path, { websocket: true }, (socket) => void socket.on('error', () => {}))
  }
  await app.listen({ host: '127.0.0.1', port: 0 })
  return app
}

test('any handshake gets the answer that it gets without us, and leaves no trace', async (t) => {
  const errors = watchUncaught(t)
  const door = await Door.open(t)
  const bare = portOf(await bareApp(t))
  await fuzz(
    fc.asyncProperty(handshakes(['/plain', '/session']), leaves, async ({ bytes }, leave) => {
      const ours = await say(door.server.port, bytes, leave)
      // Who has gone gets no answer for sure.
      if (leave === 'in silence' && isSame(bytes)) {
        assert.equal(statusOf(ours), statusOf(await say(bare, bytes, leave)))
      }
      await door.check()
      if (errors.length > 0) throw errors[0]
    }),
    150,
  )
  await door.close()
})

for (const leave of ['fin', 'rst', 'in silence'] as const) {
  test(`a handshake, cut after each byte: ${leave}`, async (t) => {
    const errors = watchUncaught(t)
    const door = await Door.open(t)
    const whole = handshake('/session', 'sec-websocket-protocol: wsl.1, wsl.r.1.0.AAAA')
    for (let length = 0; length < whole.length; length++) {
      const { text } = await say(door.server.port, whole.subarray(0, length), leave)
      assert.doesNotMatch(text, /^HTTP\/1.1 101/)
      await door.check()
    }
    await say(door.server.port, whole, leave)
    await door.check()
    await door.close()
    assert.deepEqual(errors, [])
  })
}

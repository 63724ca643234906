import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import type { ServerOptions, WebSocket } from 'ws'
import type { CloseCause } from '../../../lib/core/close/policy.js'
import { hasParserFailed, isParsing } from '../../../lib/platform/ws-receiver.js'
import { isBetweenMessages, queuedFrames } from '../../../lib/platform/ws-sender.js'
import { OPCODE } from '../../../lib/testing/frames.js'
import { DEFLATE } from '../peers/raw-peer.js'
import { type ServerFrame, WirePeer } from '../peers/wire-peer.js'
import { BareWs } from '../servers/bare-ws.js'
import { ECHO_ROUTES, type EchoRoute, EchoServer, SESSION_ROUTE } from '../servers/echo-routes.js'
import { within } from '../time/bound.js'
import { delivered } from '../time/delivered.js'
import { until } from '../time/timed.js'

/** All ways in which our app takes messages. */
export const ROUTES: readonly EchoRoute[] = [...ECHO_ROUTES, SESSION_ROUTE]

/** How a client goes. `quiet`: with a FIN, when all that it sent has been answered. */
export type Leave = 'quiet' | 'fin' | 'rst'

/** What a client does: the bytes, how they are cut, and how it goes. */
export interface Play {
  readonly bytes: Buffer
  readonly packets: readonly number[]
  readonly leave: Leave
}

/** What a server made of it. */
interface Verdict {
  readonly messages: ReadonlyArray<string | Buffer>
  readonly frames: readonly ServerFrame[]
}

const MAX_PAYLOAD = 65_536
/** Long messages come in larger packets. */
const MOST_PACKETS = 1_000

/** A bare ws server and ours, which get the same bytes and must think the same of them. */
export class Judges {
  readonly bare: BareWs
  readonly ours: EchoServer
  readonly #isDeflating: boolean
  readonly #bystander: WirePeer
  #echoes = 0
  #count = 0

  private constructor(bare: BareWs, ours: EchoServer, bystander: WirePeer, isDeflating: boolean) {
    this.bare = bare
    this.ours = ours
    this.#bystander = bystander
    this.#isDeflating = isDeflating
  }

  static async serve(t: TestContext, isDeflating: boolean): Promise<Judges> {
    const options: ServerOptions = {
      maxPayload: MAX_PAYLOAD,
      perMessageDeflate: isDeflating && { threshold: 0 },
    }
    const bare = await BareWs.serve(t, options)
    const ours = await EchoServer.serve(t, {
      websocket: { maxPayload: MAX_PAYLOAD, perMessageDeflate: isDeflating && { threshold: 0 } },
      // One for the bystander, and one for each route: a place that is not given back is one too few.
      maxConnections: 1 + ROUTES.length,
    })
    const bystander = await WirePeer.open(ours.port, EchoServer.path('plain', 'bystander'))
    return new Judges(bare, ours, bystander, isDeflating)
  }

  /** Plays it to both, and compares. At the end of each, nothing but the bystander is left. Then the bystander is asked whether it is well. */
  async judge(play: Play): Promise<void> {
    const name = String(this.#count++)
    const bare = await this.#play(this.bare.port, `/?name=${name}`, play)
    const seen = this.bare.of(`/?name=${name}`)
    const code = await within(seen.closed, "ws's close event")
    const verdict = { messages: seen.messages, frames: bare.frames }
    const causes = causesOf(play.leave, seen.error, closeOf(bare.frames), code)
    await Promise.all(ROUTES.map((route) => this.#compare(route, name, play, verdict, causes)))
    const { websocketLifecycle } = this.ours.app
    await until(() => websocketLifecycle.connections.size === 1)
    await this.#askBystander()
    this.bare.forget()
    this.ours.forget()
  }

  async #compare(
    route: EchoRoute,
    name: string,
    play: Play,
    bare: Verdict,
    causes: readonly CloseCause[],
  ): Promise<void> {
    const path = EchoServer.path(route, name)
    const peer = await this.#play(this.ours.port, path, play)
    const { messages } = this.ours.of(path)
    const close = await this.ours.of(path).end()
    assert.ok(causes.includes(close.cause), `${route}: ${close.cause}, expected ${causes.join()}`)
    if (play.leave === 'rst') return
    assert.deepEqual(messages, bare.messages, `${route}: messages`)
    if (play.leave === 'quiet') {
      assert.equal(closeOf(peer.frames), closeOf(bare.frames), `${route}: close code`)
      if (route === 'plain') this.#compareFrames(peer.frames, bare.frames)
    }
  }

  /**
   * The same, but for three things that are meant: a close frame of ours has a reason, of the pings that come while
   * something waits to be written only the latest is answered (RFC 6455 §5.5.3), and what is not compressed when the client
   * closes is given up.
   */
  #compareFrames(ours: readonly ServerFrame[], bare: readonly ServerFrame[]): void {
    const mayMiss = this.#isDeflating && closeOf(bare) !== undefined
    const messages = ours.filter(isMessage)
    const expected = bare.filter(isMessage)
    assert.deepEqual(messages, mayMiss ? expected.slice(0, messages.length) : expected)
    const pongs = bare.filter(({ opcode }) => opcode === OPCODE.pong)
    let at = 0
    for (const { opcode, payload } of ours) {
      if (opcode !== OPCODE.pong) continue
      const found = pongs.findIndex((pong, index) => index >= at && pong.payload.equals(payload))
      assert.ok(found >= 0, `a pong that nobody asked for: ${payload.toString('hex')}`)
      at = found + 1
    }
    assert.ok(pongs.length === 0 || at > 0 || closeOf(bare) !== undefined, 'no pong at all')
  }

  async #play(port: number, path: string, { bytes, packets, leave }: Play): Promise<WirePeer> {
    const peer = await WirePeer.open(port, path, this.#isDeflating ? DEFLATE : {})
    let at = 0
    const scale = Math.ceil(bytes.length / MOST_PACKETS)
    for (let turn = 0; at < bytes.length; turn++) {
      const size = (packets[turn % packets.length] ?? bytes.length) * scale
      await peer.write(bytes.subarray(at, at + size))
      at += size
    }
    if (leave === 'quiet') await this.#quiet()
    if (leave === 'rst') peer.socket.resetAndDestroy()
    else peer.socket.end()
    await peer.ended()
    if (leave === 'rst') await this.#quiet()
    return peer
  }

  /** Waits until no server has anything to do. */
  async #quiet(): Promise<void> {
    await delivered()
    await until(() => [...this.#sockets()].every((socket) => !isBusy(socket)))
    await delivered()
  }

  *#sockets(): Generator<WebSocket> {
    yield* this.bare.server.clients
    yield* this.ours.app.websocketServer.clients
  }

  async #askBystander(): Promise<void> {
    await this.#bystander.write(Buffer.from([0x81, 0x81, 0, 0, 0, 0, 0x78]))
    await this.#bystander.came(++this.#echoes)
    assert.equal(this.#bystander.frames.at(-1)?.payload.toString(), 'x')
  }

  /** Nothing may be left of all that. */
  async finish(): Promise<void> {
    this.#bystander.socket.end()
    await this.#bystander.ended()
  }
}

function isBusy(socket: WebSocket): boolean {
  const isWriting = queuedFrames(socket) > 0 || !isBetweenMessages(socket)
  return isWriting || (isParsing(socket) && !hasParserFailed(socket))
}

/** What may be the cause of our end, by what ws tells of its own. */
function causesOf(
  leave: Leave,
  error: string | undefined,
  sent: number | undefined,
  code: number,
): CloseCause[] {
  if (leave === 'rst') {
    // What had been read before the RST depends on the kernel.
    return [
      'connection-reset',
      'connection-lost',
      'client-close',
      'protocol-error',
      'message-too-big',
    ]
  }
  // What is no compressed data is told by zlib itself.
  const isFault = /^(WS_ERR|Z)_/.test(error ?? '')
  if (isFault && leave === 'fin') return ['protocol-error', 'message-too-big', 'connection-lost']
  if (isFault) return sent === 1009 ? ['message-too-big'] : ['protocol-error']
  return code === 1006 ? ['connection-lost'] : ['client-close']
}

/** The code of a close frame: 1005 if it is empty, `undefined` if none came. */
function closeOf(frames: readonly ServerFrame[]): number | undefined {
  const last = frames.at(-1)
  if (last?.opcode !== OPCODE.close) return undefined
  return last.payload.length === 0 ? 1005 : last.payload.readUInt16BE()
}

function isMessage({ opcode }: ServerFrame): boolean {
  return opcode < OPCODE.close
}

import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import type { CloseInfo, LifecycleSession, Message } from '../../../lib/index.js'
import { nothingLeft } from '../../../lib/testing/index.js'
import { readControl } from '../../../lib/core/session/link.js'
import { WirePeer } from '../peers/wire-peer.js'
import { within } from '../time/bound.js'
import { delivered } from '../time/delivered.js'
import { until } from '../time/timed.js'
import { type LogLine, logLines } from './log-lines.js'
import { serveSessions, type WithSessions } from './with-sessions.js'

/** What the server of {@link LinkDoor} sends to each session at once. */
export const GREETINGS = ['one', 'two', 'three'] as const
export const LINK = { 'sec-websocket-protocol': 'wsl.1' } as const
export const PATH = '/ws/7'
export const MAX_PAYLOAD = 65_536

/** A server of sessions with a bystander and a few places more, that logs all there is. */
export class LinkDoor {
  readonly server: WithSessions
  /** All messages of all sessions that were not forgotten yet. */
  readonly messages: Message[]
  readonly #lines: LogLine[]
  readonly #bystander: WirePeer
  #echoes = 0

  private constructor(
    server: WithSessions,
    messages: Message[],
    lines: LogLine[],
    bystander: WirePeer,
  ) {
    this.server = server
    this.messages = messages
    this.#lines = lines
    this.#bystander = bystander
  }

  /** @param places how many there are beside that of the bystander */
  static async open(t: TestContext, places: number): Promise<LinkDoor> {
    const messages: Message[] = []
    const { lines, fastify } = logLines()
    const server = await serveSessions(t, {
      fastify,
      options: { maxConnections: 1 + places, websocket: { maxPayload: MAX_PAYLOAD } },
      route: { onMessage: (_session, _request, message) => void messages.push(message) },
      handler: (session) => GREETINGS.forEach((text) => session.send(text)),
      routes: (app) => {
        app.get('/echo', { websocket: true }, (socket) => {
          socket.on('message', (data: Buffer) => socket.send(data))
        })
      },
    })
    return new LinkDoor(server, messages, lines, await WirePeer.open(server.port, '/echo'))
  }

  /** The session of the peer that has come last. */
  get session(): LifecycleSession {
    const session = this.server.sessions.at(-1)
    if (session === undefined) throw new Error('Expected a session, got none')
    return session
  }

  /** A peer that has got its welcome and all greetings, and the token in that. */
  async enter(): Promise<{ readonly peer: WirePeer; readonly token: string }> {
    const peer = await WirePeer.open(this.server.port, PATH, LINK)
    await peer.came(1 + GREETINGS.length)
    const welcome = readControl(String(peer.frames[0]?.payload))
    if (welcome?.kind !== 'welcome' || welcome.value === undefined) {
      throw new Error(`Expected a welcome, got ${String(peer.frames[0]?.payload)}`)
    }
    return { peer, token: welcome.value.token }
  }

  /** The one end of a session. */
  async end(session: LifecycleSession): Promise<CloseInfo> {
    const close = await within(session.closed, 'the end of the session')
    await within(this.server.noted('release'), 'its release')
    return close
  }

  /** Nobody is left but the bystander, who is well; each session had one end, and no line has the token. */
  async check(token: string, ends = 1): Promise<void> {
    const { app, events } = this.server
    await until(() => app.websocketLifecycle.connections.size === 1)
    await until(() => this.#count('release') >= ends)
    await delivered()
    const { connected, suspended } = app.websocketLifecycle.stats().sessions
    assert.deepEqual([connected, suspended], [0, 0])
    for (const event of ['handler', 'close ', 'abort', 'release']) {
      assert.equal(this.#count(event), ends, `${event} of ${events.join()}`)
    }
    await this.#bystander.write(Buffer.from([0x81, 0x81, 0, 0, 0, 0, 0x78]))
    await this.#bystander.came(++this.#echoes)
    assert.equal(this.#bystander.frames.at(-1)?.payload.toString(), 'x')
    assert.ok(!JSON.stringify(this.#lines).includes(token), 'the token is in the log')
  }

  /** Forgets all that was, and ends what a failure has left, so that a shorter one can be looked for. */
  async forget(): Promise<void> {
    const { app, closes, events, sessions } = this.server
    for (const session of sessions) session.terminate()
    await until(() => app.websocketLifecycle.connections.size === 1)
    await until(() => this.#count('release') === sessions.length)
    for (const list of [this.#lines, this.messages, closes, events, sessions]) list.splice(0)
  }

  async close(): Promise<void> {
    this.#bystander.socket.end()
    await this.#bystander.ended()
    await this.server.app.close()
    await nothingLeft(this.server.app)
    assert.equal(this.server.clock.pending, 0)
  }

  #count(event: string): number {
    return this.server.events.filter((each) => each.startsWith(event)).length
  }
}

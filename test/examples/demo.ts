import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { freePort } from '../../examples/cluster/free-port.js'
import { Demo, type DemoOptions } from '../../examples/demo/demo.js'
import type { Ending, RoomEvent } from '../../examples/demo/events.js'
import type { Peer } from '../../lib/testing/index.js'
import { reach } from '../support/peers/heard.js'

export type EventOf<Type extends RoomEvent['type']> = Extract<RoomEvent, { type: Type }>

/** The demo, on a port of its own; its helpers act as soon as they are in. */
export async function openDemo(t: TestContext, options: DemoOptions = {}): Promise<Demo> {
  const demo = await Demo.open({ linger: 0, port: await freePort(), ...options })
  t.after(() => demo.close())
  return demo
}

/** Someone in the room. */
export class Visitor {
  readonly client: Peer<string>
  readonly welcome: EventOf<'welcome'>

  private constructor(client: Peer<string>, welcome: EventOf<'welcome'>) {
    this.client = client
    this.welcome = welcome
  }

  static async enter(url: string, name?: string): Promise<Visitor> {
    const room = new URL('/room', url.replace('http', 'ws'))
    if (name !== undefined) room.searchParams.set('name', name)
    const client = await reach(room.href)
    const welcome = JSON.parse(await client.next()) as EventOf<'welcome'>
    assert.equal(welcome.type, 'welcome')
    return new Visitor(client, welcome)
  }

  get name(): string {
    return this.welcome.you.name
  }

  say(text: string): void {
    this.client.send(text)
  }

  /** The next thing of that type that the server told; others before it are skipped. */
  async told<Type extends RoomEvent['type']>(type: Type): Promise<EventOf<Type>> {
    for (;;) {
      const event = JSON.parse(await this.client.next()) as RoomEvent
      if (event.type === type) return event as EventOf<Type>
    }
  }
}

/** What the room must tell of a helper's end; `sees` is what a server without the plugin sees. */
export interface Expected extends Pick<
  Ending,
  'cause' | 'code' | 'sent' | 'initiator' | 'clean' | 'expected' | 'retryable'
> {
  readonly sees: string
}

type Facts = [clean: boolean, expected: boolean, retryable: boolean]

function expect(
  cause: Ending['cause'],
  initiator: Ending['initiator'],
  [code, sent]: [number, number?],
  [clean, expected, retryable]: Facts,
  sees: string,
): Expected {
  return { cause, code, sent, initiator, clean, expected, retryable, sees }
}

/** By the button that leads to it, but for `drain`. */
export const ENDINGS = {
  close: expect('client-close', 'client', [1000, 1000], [true, true, false], '1000'),
  code: expect('client-close', 'client', [4000, 4000], [true, false, false], '4000'),
  cut: expect('connection-lost', 'network', [1006], [false, false, true], '1006'),
  reset: expect('connection-reset', 'network', [1006], [false, false, true], '1006'),
  freeze: expect('heartbeat-timeout', 'network', [1006], [false, false, true], 'nothing'),
  garbage: expect('protocol-error', 'client', [1006, 1002], [false, false, false], '1006'),
  big: expect('message-too-big', 'client', [1006, 1009], [false, false, false], '1006'),
  throw: expect('handler-error', 'server', [1011, 1011], [true, false, true], '1006'),
  reject: expect('handler-error', 'server', [1011, 1011], [true, false, true], 'exit'),
  kick: expect('server-close', 'server', [4001, 4001], [true, true, false], '4001'),
  terminate: expect('server-terminate', 'server', [1006], [false, true, true], '1006'),
  flood: expect('client-close', 'client', [1000, 1000], [true, true, false], '1000'),
  deaf: expect('slow-consumer', 'server', [1006, 1013], [false, false, true], 'nothing'),
  jobs: expect('client-close', 'client', [1000, 1000], [true, true, false], '1000'),
} as const

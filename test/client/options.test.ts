// Wrong options are refused in the constructor, with what was expected and what came.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Client } from '../../lib/client/client.js'
import { isRetryable, LifecycleClient } from '../../lib/client/index.js'
import { isRetryable as ofServer } from '../../lib/index.js'
import { clientIn } from '../support/peers/lifecycle-client.js'
import { ClientWorld } from '../support/time/client-world.js'

const wrong: ReadonlyArray<readonly [given: unknown, message: RegExp]> = [
  [{ link: 'no' }, /`options.link` to be a boolean, got string/],
  [{ resume: 1 }, /`options.resume` to be a boolean, got 1/],
  [{ connectTimeout: 0 }, /`options.connectTimeout` to be from 1 to 2147483647, got 0/],
  [
    { connectTimeout: Infinity },
    /`options.connectTimeout` to be from 1 to 2147483647, got Infinity/,
  ],
  [{ connectTimeout: NaN }, /`options.connectTimeout` to be from 1 to 2147483647, got NaN/],
  [{ connectTimeout: '5' }, /`options.connectTimeout` to be a number, got string/],
  [{ backoff: { min: -1 } }, /`options.backoff.min` to be from 1/],
  [{ backoff: 5 }, /`options.backoff` to be an object, got 5/],
  [{ backoff: { least: 5 } }, /`options.backoff.least` to be a known option, got 5/],
  [{ queue: true }, /`options.queue` to be an object, got boolean/],
  [{ queue: { maxBytes: 0 } }, /`options.queue.maxBytes` to be from 1/],
  [{ resume: true, queue: false }, /`options.queue` to be an object for `resume`, got boolean/],
  [{ liveness: { interval: 'x' } }, /`options.liveness.interval` to be a number, got string/],
  [{ link: false, resume: true }, /`options.link` to be true for `resume` and `liveness`/],
  [{ link: false, liveness: {} }, /`options.link` to be true for `resume` and `liveness`/],
  [{ protocols: [1] }, /`protocols` to be a string or an array of them, got object/],
  [{ protocols: 5 }, /`protocols` to be a string or an array of them, got 5/],
  [{ shouldRetry: true }, /`options.shouldRetry` to be a function, got boolean/],
  [{ WebSocket: {} }, /`options.WebSocket` to be a class .*, got object/],
  [{ retries: 5 }, /`options.retries` to be a known option, got 5/],
  ['chat', /`options.0` to be a known option, got string/],
]

for (const [given, message] of wrong) {
  test(`refuses ${JSON.stringify(given)}`, () => {
    const world = new ClientWorld()
    assert.throws(() => clientIn(world, given as never), { name: 'TypeError', message })
    assert.equal(world.pending, 0)
  })
}

test('refuses a url that is none, and shows no part of what came', () => {
  for (const url of [null, 5, {}, ['wss://secret/']]) {
    assert.throws(
      () => clientIn(new ClientWorld(), {}, url as never),
      (error: Error) =>
        error instanceof TypeError &&
        error.message.startsWith('Expected `url` to be a string or a URL, got ') &&
        !error.message.includes('secret'),
    )
  }
})

test('takes `undefined` as not given', () => {
  const none = { queue: undefined, connectTimeout: undefined, backoff: undefined, link: undefined }
  const { client } = clientIn(new ClientWorld(), none as never)
  assert.equal(client.send('m'), false)
  client.close()
})

test('without a WebSocket of the platform it names the option', () => {
  const world = Object.create(new ClientWorld(), { WebSocket: { value: undefined } }) as ClientWorld
  assert.throws(() => new Client('wss://test/', {}, world), {
    name: 'TypeError',
    message: 'Expected `options.WebSocket` to be a class (on Node 20 that of ws), got undefined',
  })
})

test('has the default bounds of the queue', () => {
  const { client } = clientIn(new ClientWorld(), { resume: true })
  for (let i = 0; i < 1_024; i++) assert.equal(client.send('m'), true)
  assert.equal(client.send('m'), false)
  client.close()
  const large = clientIn(new ClientWorld(), { queue: {} }).client
  assert.equal(large.send(new ArrayBuffer(1_048_575)), true)
  assert.equal(large.send('m'), true)
  assert.equal(large.send('m'), false)
  large.close()
})

test('exports the class, which can be derived from, and the isRetryable of the server', () => {
  class Derived extends LifecycleClient {
    get isOpen(): boolean {
      return this.state === 'open'
    }
  }
  const derived = new Derived('ws://127.0.0.1:1', { WebSocket: new ClientWorld().WebSocket })
  assert.equal(derived.isOpen, false)
  assert.ok(derived instanceof LifecycleClient)
  assert.ok(derived instanceof EventTarget)
  derived.close()
  assert.equal(isRetryable, ofServer)
})

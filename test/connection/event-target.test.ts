import assert from 'node:assert/strict'
import { test } from 'node:test'
import { WebSocket } from 'ws'
import {
  defineHandlerAttributes,
  type EventHandler,
  type Watching,
  wrapHandler,
} from '../../lib/connection/event-target.js'

type EventMap = WebSocket.WebSocketEventMap

/** A socket that notes what its handlers returned; it is connected to nothing. */
class WatchedSocket extends WebSocket implements Watching {
  readonly results: unknown[] = []

  constructor() {
    super(null as never, undefined, {})
  }

  listened(): void {}

  watch(result: unknown, step: string): void {
    assert.equal(step, 'listener')
    this.results.push(result)
  }

  override addEventListener<K extends keyof EventMap>(
    type: K,
    handler: EventHandler<EventMap[K]>,
    options?: WebSocket.EventListenerOptions,
  ): void {
    super.addEventListener(type, wrapHandler(handler), options)
  }

  override removeEventListener<K extends keyof EventMap>(
    type: K,
    handler: EventHandler<EventMap[K]>,
  ): void {
    super.removeEventListener(type, wrapHandler(handler))
  }

  receive(message: string): void {
    this.emit('message', Buffer.from(message), false)
  }
}
defineHandlerAttributes(WatchedSocket.prototype)

const other = (): void => {}

function setUp(): {
  socket: WatchedSocket
  got: unknown[]
  handler: (event: WebSocket.MessageEvent) => void
} {
  const got: unknown[] = []
  return { socket: new WatchedSocket(), got, handler: ({ data }) => void got.push(data) }
}

test('a handler gets the event, with the socket as its target and as this', () => {
  const { socket } = setUp()
  const seen: unknown[] = []
  socket.addEventListener('message', function (this: unknown, event) {
    seen.push(event.type, event.data, event.target, this)
  })
  socket.receive('hello')
  assert.deepEqual(seen.slice(0, 2), ['message', 'hello'])
  assert.ok(seen.slice(2).every((value) => value === socket))
})

test('what a handler returns is looked after', async () => {
  const { socket } = setUp()
  const error = new Error('mine')
  socket.addEventListener('message', async () => {
    throw error
  })
  socket.onmessage = () => 'plain'
  socket.receive('hello')
  const [promise, plain] = socket.results
  await assert.rejects(promise as Promise<unknown>, error)
  assert.equal(plain, 'plain')
})

test('a handler that throws, throws where the event was emitted', () => {
  const { socket } = setUp()
  const error = new Error('mine')
  socket.addEventListener('message', () => {
    throw error
  })
  assert.throws(() => socket.receive('hello'), error)
})

test('a handler that was added twice is called once', () => {
  const { socket, got, handler } = setUp()
  socket.addEventListener('message', handler)
  socket.addEventListener('message', handler)
  socket.receive('hello')
  assert.deepEqual(got, ['hello'])
})

test('a handler that was removed is called no more', () => {
  const { socket, got, handler } = setUp()
  socket.addEventListener('message', handler)
  socket.removeEventListener('message', other)
  socket.receive('before')
  socket.removeEventListener('message', handler)
  socket.receive('after')
  assert.deepEqual(got, ['before'])
  assert.equal(socket.listenerCount('message'), 0)
})

test('one that was added to be called once, is', () => {
  const { socket, got, handler } = setUp()
  socket.addEventListener('message', handler, { once: true })
  socket.receive('one')
  socket.receive('two')
  assert.deepEqual(got, ['one'])
})

test('an object with a handleEvent is called by it, as its this, and can be removed', async () => {
  const { socket, got } = setUp()
  const listener = {
    name: 'listener',
    async handleEvent(event: WebSocket.MessageEvent) {
      got.push(`${this.name} ${event.type}`)
      throw new Error('mine')
    },
  }
  socket.addEventListener('message', listener)
  socket.receive('hello')
  await assert.rejects(socket.results[0] as Promise<unknown>, /mine/)
  socket.removeEventListener('message', listener)
  socket.receive('again')
  assert.deepEqual(got, ['listener message'])
})

test('one handler can serve two sockets', () => {
  const { got, handler } = setUp()
  const sockets = [new WatchedSocket(), new WatchedSocket()]
  for (const socket of sockets) socket.addEventListener('message', handler)
  for (const [index, socket] of sockets.entries()) socket.receive(`${index}`)
  assert.deepEqual(got, ['0', '1'])
  assert.deepEqual(
    sockets.map(({ results }) => results.length),
    [1, 1],
  )
})

test('an attribute answers with what was assigned, replaces it, and forgets it', () => {
  const { socket, got, handler } = setUp()
  assert.equal(socket.onmessage, null)
  socket.onmessage = () => got.push('replaced')
  socket.onmessage = handler
  assert.equal(socket.onmessage, handler)
  socket.receive('hello')
  assert.deepEqual(got, ['hello'])
  socket.onmessage = null
  assert.equal(socket.onmessage, null)
  socket.receive('nobody hears')
  assert.deepEqual(got, ['hello'])
})

test('every attribute of ws is among them', () => {
  const { socket } = setUp()
  for (const name of ['onopen', 'onmessage', 'onerror', 'onclose'] as const) {
    socket[name] = other
    assert.equal(socket[name], other)
    assert.ok(Object.hasOwn(WatchedSocket.prototype, name))
  }
  const attributes = Object.keys(WebSocket.prototype).filter((name) => /^on[a-z]+$/.test(name))
  assert.deepEqual(attributes.toSorted(), ['onclose', 'onerror', 'onmessage', 'onopen'])
})

test('an attribute and a listener do not know each other', () => {
  const { socket, got, handler } = setUp()
  socket.onmessage = handler
  socket.addEventListener('message', handler)
  socket.receive('twice')
  socket.removeEventListener('message', handler)
  socket.receive('once')
  assert.equal(socket.onmessage, handler)
  assert.deepEqual(got, ['twice', 'twice', 'once'])
})

test('what is no handler is left to ws', () => {
  const { socket } = setUp()
  for (const wrong of [undefined, null, 'handler', 1]) {
    assert.equal(wrapHandler(wrong as never), wrong)
    socket.onmessage = wrong as never
    assert.equal(socket.onmessage, null)
  }
})

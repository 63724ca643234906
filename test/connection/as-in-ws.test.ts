import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import type { AddressInfo, Socket } from 'node:net'
import { test, type TestContext } from 'node:test'
import { type WebSocket, WebSocketServer } from 'ws'
import { OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import { DIFFERS } from '../support/servers/second-pass.js'
import { portOf, serve } from '../support/servers/server.js'

const { bytes, closeFrame, frame } = RawPeer
const twoMessages = [
  frame(OPCODE.text, 'one'),
  frame(OPCODE.binary, 'two'),
  closeFrame(4001, 'bye'),
]

/** Lengths at which the header of a frame grows, or a message becomes too large to be framed by us. */
const LENGTHS = [0, 1, 41, 42, 125, 126, 170, 171, 256, 512, 513, 1_000]
const LARGE = [16_384, 65_535, 65_536]
/** One to four bytes a character, and what is no character. */
const CHARACTERS = ['x', 'é', '€', '😀', '\ud800']
const texts = [
  ...CHARACTERS.flatMap((each) => LENGTHS.map((length) => each.repeat(length).slice(0, length))),
  ...LARGE.map((length) => 'x'.repeat(length)),
  '\ud800 is first',
  'is last: \ud800',
  'the \udc00 is amid',
  '\udc00\ud800 by two',
]
const binaries = [...LENGTHS, ...LARGE].flatMap((length) => {
  const buffer = Buffer.from('0123456789'.repeat(7_001)).subarray(3, 3 + length)
  const copy = new Uint8Array(buffer)
  const wide = new Uint16Array(copy.buffer, 0, length >> 1)
  return [buffer, copy, copy.buffer, wide, new DataView(copy.buffer)]
})

interface Script {
  /** What the app does with the socket; it notes all that it sees. */
  readonly app: (socket: WebSocket, note: (...seen: unknown[]) => void) => void
  readonly wire?: readonly Buffer[]
  /** What the peer gets of ours, where the plugin says more than ws. */
  readonly ours?: Buffer
  /** Whether the app compares what it is told as the socket. */
  readonly isAboutIdentity?: boolean
}

/** Each runs on a bare ws server and on ours: what the app sees must be the same. */
const SCRIPTS: Readonly<Record<string, Script>> = {
  'on, once and prependListener': {
    app: (socket, note) => {
      socket.on('message', (data, isBinary) => note('on', data, isBinary))
      socket.once('message', (data) => note('once', data))
      socket.prependListener('message', (data) => note('prepended', data))
      socket.prependOnceListener('message', (data) => note('prepended once', data))
      note(socket.listenerCount('message'), socket.eventNames())
    },
  },
  'off and removeAllListeners': {
    app: (socket, note) => {
      const listener = (data: unknown): void => note('never', String(data))
      socket.on('message', listener)
      socket.off('message', listener)
      socket.on('message', listener)
      socket.removeAllListeners('message')
      note(socket.listenerCount('message'), socket.listeners('message'))
    },
  },
  'addEventListener, with the event and this': {
    isAboutIdentity: true,
    app: (socket, note) => {
      socket.addEventListener('message', function (this: unknown, event: WebSocket.MessageEvent) {
        const { type, target, data } = event
        note(
          type,
          target === socket,
          this === socket,
          Buffer.isBuffer(data),
          data,
          Object.keys(event),
        )
      })
      socket.addEventListener('close', function (
        this: unknown,
        { type, code, reason, wasClean, target }: never,
      ) {
        note(type, code, reason, wasClean, target === socket, this === socket)
      } as never)
    },
  },
  'addEventListener, the same handler twice and for two types': {
    app: (socket, note) => {
      const handler = ({ type }: { type: string }): void => note(type)
      socket.addEventListener('message', handler)
      socket.addEventListener('message', handler)
      socket.addEventListener('close', handler)
      note(socket.listenerCount('message'), socket.listenerCount('close'))
    },
  },
  'addEventListener, once': {
    app: (socket, note) => {
      socket.addEventListener('message', ({ data }) => note(data), { once: true })
    },
  },
  'addEventListener, with a handleEvent object that changes its mind': {
    app: (socket, note) => {
      const object = {
        handleEvent(this: unknown, { type }: { type: string }): void {
          note(type, this === object)
          object.handleEvent = () => note('another')
        },
      }
      socket.addEventListener('message', object)
    },
  },
  'addEventListener, of a type that ws does not know': {
    app: (socket, note) => {
      socket.addEventListener('ping' as never, () => note('never'))
      note(socket.listenerCount('ping'))
    },
    wire: [frame(OPCODE.ping, 'p'), closeFrame(1000)],
  },
  'addEventListener, with nothing as handler': {
    app: (socket, note) => {
      for (const nothing of [undefined, null, 42, 'x']) {
        try {
          socket.addEventListener('open', nothing as never)
          note('taken')
        } catch (error) {
          note((error as Error).name)
        }
      }
    },
  },
  removeEventListener: {
    app: (socket, note) => {
      const handler = (): void => note('never')
      const other = (): void => note('other')
      socket.addEventListener('message', handler)
      socket.addEventListener('message', other)
      socket.removeEventListener('message', handler)
      socket.removeEventListener('message', () => {})
      socket.removeEventListener('close', other)
      note(socket.listenerCount('message'))
    },
  },
  'the on... attributes': {
    isAboutIdentity: true,
    app: (socket, note) => {
      note(socket.onmessage, socket.onclose, socket.onerror, socket.onopen)
      const first = (): void => note('never')
      const second = ({ data }: { data: unknown }): void => note(data)
      socket.onmessage = first
      note(socket.onmessage === first, socket.listenerCount('message'))
      socket.onmessage = second
      note(socket.onmessage === second, socket.listenerCount('message'))
      socket.onclose = ({ code, reason }) => note(code, reason)
      socket.removeEventListener('message', second)
      note(socket.onmessage === second)
    },
  },
  'an on... attribute that is taken back': {
    app: (socket, note) => {
      socket.onmessage = () => note('never')
      socket.onmessage = null
      note(socket.onmessage, socket.listenerCount('message'))
      socket.onclose = 'no function' as never
      note(socket.onclose)
    },
  },
  'an attribute and a listener of the same function': {
    isAboutIdentity: true,
    app: (socket, note) => {
      const handler = ({ type }: { type: string }): void => note(type)
      socket.onmessage = handler
      socket.addEventListener('message', handler)
      note(socket.listenerCount('message'))
      socket.removeEventListener('message', handler)
      note(socket.listenerCount('message'), socket.onmessage === handler)
    },
  },
  'ping and pong events': {
    app: (socket, note) => {
      socket.on('ping', (data) => note('ping', String(data)))
      socket.on('pong', (data) => note('pong', String(data)))
    },
    wire: [frame(OPCODE.ping, 'a'), frame(OPCODE.pong, 'b'), closeFrame(1000)],
  },
  "the 'close' event without a code": {
    app: () => {},
    wire: [closeFrame()],
  },
  "the 'close' event of a lost connection": {
    app: () => {},
    wire: [],
  },
  "the 'error' event": {
    app: (socket, note) => {
      socket.on('error', (error) => note(error.name, error.message, Reflect.get(error, 'code')))
      socket.onerror = ({ type, message, error }) => note(type, message, error instanceof Error)
    },
    wire: [bytes(0x83, 'x')],
    ours: bytes(0x88, Buffer.from('\x03\xeaprotocol-error', 'latin1'), false),
  },
  'the order of messages and close': {
    app: (socket, note) => {
      socket.on('message', (data) => note(data, socket.readyState))
    },
  },
  'fragments and an empty message': {
    app: (socket, note) => {
      socket.on('message', (data, isBinary) => note(data, isBinary))
    },
    wire: [
      frame(OPCODE.text, 'a', false),
      frame(OPCODE.ping),
      frame(OPCODE.continuation, 'b'),
      frame(OPCODE.text),
      closeFrame(1000),
    ],
  },
  'binaryType arraybuffer and fragments': {
    app: (socket, note) => {
      socket.binaryType = 'fragments'
      socket.on('message', (data, isBinary) => note(data, isBinary))
    },
  },
  'properties of an open socket': {
    app: (socket, note) => {
      const { readyState, protocol, extensions, bufferedAmount, binaryType, isPaused, url } = socket
      note({ readyState, protocol, extensions, bufferedAmount, binaryType, isPaused, url })
      note([socket.CONNECTING, socket.OPEN, socket.CLOSING, socket.CLOSED])
    },
  },
  'a close() of ours': {
    app: (socket) => socket.close(4000, 'mine'),
    wire: [closeFrame(4002, 'yours')],
  },
  'send, with and without callbacks': {
    app: (socket, note) => {
      socket.send('a')
      socket.send('b', (error) => note('b', error ?? 'well'))
      socket.send(Buffer.from('c'), { binary: false }, (error) => note('c', error ?? 'well'))
      socket.ping('d', false, (error: Error | undefined) => note('d', error ?? 'well'))
      socket.pong('e', false, (error: Error | undefined) => note('e', error ?? 'well'))
    },
  },
  'send, of texts of all lengths in one turn': {
    app: (socket) => {
      for (const text of texts) socket.send(text)
    },
  },
  'send, of all kinds of bytes in one turn': {
    app: (socket) => {
      for (const data of binaries) socket.send(data)
    },
  },
  'send, with all kinds of options, of all lengths in one turn': {
    app: (socket) => {
      const OPTIONS = [
        ...[true, false, undefined].map((binary) => ({ binary })),
        { compress: false },
        { mask: false },
        { fin: true },
        { fin: false },
        { binary: true },
        { fin: undefined },
        {},
        null,
        'utf8',
      ]
      for (const options of OPTIONS) {
        for (const data of ['text', Buffer.from('bytes'), 42 as never, 'x'.repeat(1_000)]) {
          socket.send(data, options as object)
        }
      }
      socket.send('the end')
    },
  },
  'send, after the app has ended the stream itself': {
    app: (socket, note) => {
      socket.on('message', () => {
        socket.send('before')
        const stream = Reflect.get(socket, '_socket') as Socket
        stream.end()
        socket.send('after', (error) => note(error?.message))
        socket.send('after')
      })
    },
    wire: [frame(OPCODE.text, 'one')],
  },
  'send, between pings and pongs of one turn': {
    app: (socket) => {
      for (const text of texts) {
        socket.send(text)
        socket.ping(text.slice(0, 31))
        socket.send(Buffer.from(text))
        socket.pong(text.slice(0, 31))
      }
    },
  },
}

const names = Object.keys(SCRIPTS)

for (const name of names) {
  const script = SCRIPTS[name] as Script
  const skip = script.isAboutIdentity === true && DIFFERS.identity
  test(`${name}: as in ws, to the byte`, { skip }, async (t) => {
    const bare = await playOnWs(t, script)
    assert.ok(bare.length > 0)
    const expected = script.ours === undefined ? bare : [...bare.slice(0, -1), script.ours]
    assert.deepEqual(await playOnOurs(t, script), expected)
  })
}

async function playOnWs(t: TestContext, script: Script): Promise<unknown[]> {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0, maxPayload: 1024 * 1024 })
  t.after(() => server.close())
  await once(server, 'listening')
  const connection = once(server, 'connection')
  const seen: unknown[] = []
  server.on('connection', (socket) => begin(script, socket, seen))
  return play(script, (server.address() as AddressInfo).port, connection, seen)
}

async function playOnOurs(t: TestContext, script: Script): Promise<unknown[]> {
  const seen: unknown[] = []
  const connection = new EventEmitter()
  const connected = once(connection, 'socket')
  const app = await serve(t, {
    routes: (app) => {
      app.get('/', { websocket: true }, (socket) => {
        begin(script, socket, seen)
        connection.emit('socket', socket)
      })
    },
  })
  return play(script, portOf(app), connected, seen)
}

function begin(script: Script, socket: WebSocket, seen: unknown[]): void {
  script.app(socket, (...noted) => seen.push(noted))
  socket.on('close', (code, reason) => seen.push(['close event', code, reason]))
  // ws would let the process end of it.
  socket.on('error', () => seen.push(['error event']))
}

async function play(
  script: Script,
  port: number,
  connected: Promise<unknown[]>,
  seen: unknown[],
): Promise<unknown[]> {
  const peer = await RawPeer.dial(port)
  const chunks: Buffer[] = []
  peer.socket.on('data', (chunk) => chunks.push(chunk))
  await peer.answer()
  const [socket] = (await connected) as [WebSocket]
  const closed = new Promise((resolve) => socket.on('close', resolve))
  const ended = once(peer.socket, 'close')
  peer.send(...(script.wire ?? twoMessages))
  peer.finish()
  await closed
  await ended
  const wire = Buffer.concat(chunks)
  return [...seen, wire.subarray(wire.indexOf('\r\n\r\n') + 4)]
}

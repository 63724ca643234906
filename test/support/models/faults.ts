import type { LifecycleSocket } from '../../../lib/index.js'
import { OPCODE, RawPeer } from '../peers/raw-peer.js'

const { frame } = RawPeer

/** What a callback can do wrong; each takes the value that comes of it. */
export const FAULTS: Readonly<Record<string, (value: unknown) => unknown>> = {
  'that throws': (value) => {
    throw value
  },
  'that rejects': (value) => Promise.reject(value),
  'that rejects later': async (value) => {
    await new Promise((resolve) => setImmediate(resolve))
    throw value
  },
  'that returns a thenable that rejects': (value) => ({
    then: (_resolve: unknown, reject: (reason: unknown) => void) => reject(value),
  }),
  'that returns a thenable that throws': (value) => ({
    then: () => {
      throw value
    },
  }),
  'that returns what hides its then': (value) => ({
    get then() {
      throw value
    },
  }),
}

export interface Place {
  /** What the connection's handler does; `fault` is the callback that fails. */
  readonly arrange: (socket: LifecycleSocket, fault: () => unknown) => unknown
  /** What the peer sends so that the callback runs. */
  readonly trigger?: Buffer
}

const message = frame(OPCODE.text, 'hello')

/** Callbacks that run while the connection is open. */
export const PLACES: Readonly<Record<string, Place>> = {
  'a handler': { arrange: (_socket, fault) => fault() },
  'a listener by on()': {
    arrange: (socket, fault) => void socket.on('message', fault),
    trigger: message,
  },
  'a listener by once()': {
    arrange: (socket, fault) => void socket.once('message', fault),
    trigger: message,
  },
  'a listener by prependListener()': {
    arrange: (socket, fault) => void socket.prependListener('message', fault),
    trigger: message,
  },
  'a listener by addEventListener()': {
    arrange: (socket, fault) => socket.addEventListener('message', fault),
    trigger: message,
  },
  'a listener by addEventListener() for one time': {
    arrange: (socket, fault) => socket.addEventListener('message', fault, { once: true }),
    trigger: message,
  },
  'a handleEvent object': {
    arrange: (socket, fault) => socket.addEventListener('message', { handleEvent: fault }),
    trigger: message,
  },
  'an onmessage attribute': {
    arrange: (socket, fault) => {
      socket.onmessage = fault
    },
    trigger: message,
  },
  "a 'ping' listener": {
    arrange: (socket, fault) => void socket.on('ping', fault),
    trigger: frame(OPCODE.ping),
  },
  "a 'pong' listener": {
    arrange: (socket, fault) => void socket.on('pong', fault),
    trigger: frame(OPCODE.pong),
  },
  'a listener of an event of the app': {
    arrange: (socket, fault) => {
      socket.on('custom', fault)
      setImmediate(() => socket.emit('custom'))
    },
  },
  'a callback of send()': { arrange: (socket, fault) => void socket.send('x', fault) },
  'a callback of send() with options': {
    arrange: (socket, fault) => void socket.send('x', { binary: true }, fault),
  },
  'a callback of ping()': { arrange: (socket, fault) => socket.ping('x', false, fault) },
  'a callback of ping() without more': { arrange: (socket, fault) => socket.ping(fault) },
  'a callback of pong()': { arrange: (socket, fault) => socket.pong('x', false, fault) },
}

/** Callbacks that run when the connection ends for another reason. */
export const LATE_PLACES: Readonly<Record<string, Place>> = {
  "a 'close' listener": { arrange: (socket, fault) => void socket.on('close', fault) },
  "a 'close' listener by addEventListener()": {
    arrange: (socket, fault) => socket.addEventListener('close', fault),
  },
  'an onclose attribute': {
    arrange: (socket, fault) => {
      socket.onclose = fault
    },
  },
  'a release': { arrange: (socket, fault) => socket.scope.defer(fault) },
  'a disposable': {
    arrange: (socket, fault) => {
      socket.scope.use({ [Symbol.asyncDispose]: fault } as unknown as AsyncDisposable)
    },
  },
  'a callback of a send() that came too late': {
    arrange: (socket, fault) => void socket.on('close', () => socket.send('x', fault)),
  },
}

/** Callbacks that run because of a frame that breaks the protocol. */
export const ERROR_PLACES: Readonly<Record<string, Place>> = {
  "an 'error' listener": { arrange: (socket, fault) => void socket.on('error', fault) },
  "an 'error' listener by addEventListener()": {
    arrange: (socket, fault) => socket.addEventListener('error', fault),
  },
  'an onerror attribute': {
    arrange: (socket, fault) => {
      socket.onerror = fault
    },
  },
}

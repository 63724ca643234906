/**
 * The pass over TLS (`npm run test:tls`): with `TLS=1`, and this file loaded before all others, each server that is made for
 * `http` speaks TLS, and so does whoever connects to it by `net`. A test sees no difference: a port, and a socket. What it
 * does to the socket of a peer is done to TCP, beneath TLS: a RST is a RST.
 */
import type { EventEmitter } from 'node:events'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import https from 'node:https'
import { syncBuiltinESMExports } from 'node:module'
import net, { type NetConnectOpts, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import tls from 'node:tls'
import { reasons } from './reasons.js'
import { cert, key } from './tls.js'

export const isTlsPass: boolean = process.env['TLS'] === '1'

/** Why a few tests are left out of the pass over TLS: there a difference is meant. */
export const DIFFERS_OVER_TLS = reasons(isTlsPass, {
  told: 'node tells in a later turn that a write is over: what the kernel has taken counts as waiting until then',
  memory:
    'node encrypts a message when the one before it has left, as with bare ws: until then its memory is not the app’s',
  records: 'of what is left behind nobody can tell the messages: what counts are bytes of records',
  halfOpen:
    'a server of https ends its side when the peer has ended its own, and one of http does not',
  scheme: 'to a server with TLS, a page without TLS is another origin',
  cost: 'the last of a hundred handshakes of TLS is over when the first has waited too long',
})

/** How much fewer connections come in a crowd: a handshake of TLS costs several times as much as all else of one. */
export const CROWD: number = isTlsPass ? 10 : 1

/** What a page of this machine has as its origin. */
export function originOf(port: number): string {
  return `${isTlsPass ? 'https' : 'http'}://127.0.0.1:${port}`
}

/** The TCP connection of a peer. */
export function beneath(socket: Socket): Socket {
  return tcpOf.get(socket) ?? socket
}

/**
 * A folder with a file for each port, or path, at which somebody speaks TLS, as long as he listens. All processes and threads
 * of a run share it: a test connects to programs, and programs to a test.
 */
const FOLDER = 'TLS_PASS_FOLDER'
/** One for all: to make one takes longer than to shake hands. */
const trust = tls.createSecureContext({ ca: cert })
const tcpOf = new WeakMap<Socket, Socket>()
const METHODS = ['on', 'once', 'off', 'addListener', 'removeListener', 'prependListener'] as const

if (isTlsPass) {
  process.env[FOLDER] ??= ownFolder()
  http.createServer = createServer as typeof http.createServer
  const { connect } = net
  const connectOver = (...args: unknown[]): Socket => {
    const { options, onConnect } = read(args)
    if (!isServed(options)) return Reflect.apply(connect, net, args) as Socket
    return secured(connect(options), onConnect)
  }
  net.connect = connectOver
  net.createConnection = connectOver
  Reflect.set(http.Agent.prototype, 'createConnection', connectOver)
  syncBuiltinESMExports()
}

function createServer(...args: unknown[]): Server {
  const [first, second] = args
  const [options, onRequest] = typeof first === 'function' ? [{}, first] : [first, second]
  const server = https.createServer(
    { ...(options as object), key, cert },
    onRequest as http.RequestListener,
  )
  // Whoever looks at the connections of a server means those that carry requests.
  rename(server, 'connection', 'secureConnection')
  server.prependListener('connection', (socket: Socket) => canReset(socket, tcpBeneath(socket)))
  let file = ''
  server.on('listening', () => {
    const at = server.address()
    file = fileOf(typeof at === 'string' ? at : String(at?.port))
    writeFileSync(file, '')
  })
  // Its port is free from now on, and not only when all its connections have ended: somebody else may get it.
  const close = server.close.bind(server)
  server.close = (done) => {
    rmSync(file, { force: true })
    file = ''
    return close(done)
  }
  return server
}

/** Whoever makes it removes it: the first process of the run. */
function ownFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'tls-pass-'))
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
  return folder
}

function fileOf(place: string): string {
  return join(process.env[FOLDER] ?? '', encodeURIComponent(place))
}

function isServed(options: NetConnectOpts): boolean {
  const { path, port }: { readonly path?: string; readonly port?: number } = options
  return existsSync(fileOf(path ?? String(port)))
}

/** The arguments of `net.connect()`. */
function read(args: readonly unknown[]): { options: NetConnectOpts; onConnect: unknown } {
  const [first, second] = args
  const onConnect = args.find((each) => typeof each === 'function')
  if (typeof first === 'object') return { options: first as NetConnectOpts, onConnect }
  if (typeof first === 'string' && Number.isNaN(Number(first))) {
    return { options: { path: first }, onConnect }
  }
  const host = typeof second === 'string' ? second : 'localhost'
  return { options: { port: Number(first), host }, onConnect }
}

/** TLS over a TCP connection. It is connected once it can be spoken over. */
function secured(tcp: Socket, onConnect: unknown): Socket {
  const socket = tls.connect({ socket: tcp, secureContext: trust, servername: 'localhost' })
  tcpOf.set(socket, tcp)
  rename(socket, 'connect', 'secureConnect')
  if (typeof onConnect === 'function') socket.once('connect', onConnect as () => void)
  canReset(socket, tcp)
  return socket
}

/** The TCP connection of a socket of a server. node keeps it to itself. */
function tcpBeneath(socket: Socket): Socket {
  return Reflect.get(socket, '_parent') as Socket
}

/** node has no RST for TLS: it is one of the TCP connection. */
export function canReset(socket: Socket, tcp: Socket): void {
  socket.resetAndDestroy = () => {
    tcp.resetAndDestroy()
    return socket
  }
}

/** Whoever listens to one event from now on listens to another. */
function rename(emitter: EventEmitter, from: string, to: string): void {
  for (const name of METHODS) {
    const method = emitter[name].bind(emitter) as (event: string, listener: unknown) => unknown
    Reflect.set(emitter, name, (event: string, listener: unknown) => {
      method(event === from ? to : event, listener)
      return emitter
    })
  }
}

import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { type WebSocket, WebSocketServer } from 'ws'
import {
  ack,
  back,
  type Control,
  MARK,
  type Offer,
  protocolIn,
  readControl,
  readOffer,
  welcome,
} from '../../../lib/core/session/link.js'

/** One connection of a client, spoken to by hand. */
export interface LinkConnection {
  readonly socket: WebSocket
  readonly request: IncomingMessage
  readonly offer: Offer
  /** The raw frames that have come, texts as they were sent. */
  readonly frames: string[]
  readonly close: Promise<{ code: number; reason: string }>
}

/** A WebSocket server over loopback that speaks the link by hand, as far as a test tells it. */
export interface LinkServer extends AsyncDisposable {
  readonly url: string
  readonly server: Server
  /** The next connection that comes. */
  next(): Promise<LinkConnection>
  /** Cuts all connections. */
  cut(): void
}

/** @param speaksLink `false`: a plain server, which chooses no subprotocol */
export async function listenForLinks(speaksLink = true): Promise<LinkServer> {
  const server = createServer()
  const raws = new Set<Socket>()
  const come: LinkConnection[] = []
  const waiting: Array<(connection: LinkConnection) => void> = []
  const websockets = new WebSocketServer({
    server,
    handleProtocols: (names) =>
      (speaksLink && [...names].find((name) => protocolIn(name) !== undefined)) || false,
  })
  server.on('connection', (raw) => {
    raws.add(raw)
    raw.on('close', () => raws.delete(raw))
  })
  websockets.on('connection', (socket, request) => {
    const connection = hear(socket, request)
    const resolve = waiting.shift()
    if (resolve) resolve(connection)
    else come.push(connection)
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  const cut = (): void => {
    for (const raw of raws) raw.destroy()
  }
  return {
    url: `ws://127.0.0.1:${port}`,
    server,
    cut,
    next: () => {
      const first = come.shift()
      return first ? Promise.resolve(first) : new Promise((resolve) => waiting.push(resolve))
    },
    async [Symbol.asyncDispose]() {
      cut()
      websockets.close()
      server.close()
      await once(server, 'close')
    },
  }
}

function hear(socket: WebSocket, request: IncomingMessage): LinkConnection {
  const frames: string[] = []
  socket.on('message', (data: Buffer, isBinary) => {
    frames.push(isBinary ? `binary ${data.toString('hex')}` : data.toString())
  })
  socket.on('error', () => {})
  return {
    socket,
    request,
    offer: readOffer(request.headers['sec-websocket-protocol'] ?? ''),
    frames,
    close: once(socket, 'close').then(([code, reason]) => ({ code, reason: String(reason) })),
  }
}

let tokens = 0

/** A session on a server, small and complete: it goes on with a later attempt that has its token. */
export class SessionPeer {
  readonly token = `secret-${++tokens}`
  /** The messages of the app that have come, in order. */
  readonly received: string[] = []
  readonly #sent: string[] = []
  #count = 0
  #confirmed = 0
  #attempt = 0
  #socket: WebSocket | undefined

  /** Takes a connection: it goes on with the session if the client asks for it. */
  take({ offer, socket }: LinkConnection): void {
    const { resume } = offer
    const isResumed = resume?.token === this.token && resume.attempt > this.#attempt
    if (isResumed) {
      this.#attempt = resume.attempt
      this.#confirmed = resume.received
    }
    this.#socket?.terminate()
    this.#socket = socket
    socket.on('message', (data: Buffer, isBinary) => {
      if (socket === this.#socket) this.#hear(data, isBinary)
    })
    socket.send(welcome({ token: this.token, isResumed, received: this.#count, window: 60_000 }))
    for (const text of this.#sent.slice(this.#confirmed)) socket.send(text)
  }

  send(text: string): void {
    this.#sent.push(text)
    this.#socket?.send(text)
  }

  /** As a server that drains: it confirms all, and asks the client to come back. */
  drain(within: number): void {
    this.#socket?.send(ack(this.#count))
    this.#socket?.send(back(within))
    this.#socket?.close(1012, 'shutdown')
  }

  #hear(data: Buffer, isBinary: boolean): void {
    const text = data.toString()
    if (!isBinary && text.startsWith(MARK) && text[1] !== MARK) this.#obey(readControl(text))
    else {
      this.#count++
      this.received.push(isBinary ? `binary ${data.toString('hex')}` : text)
      if (this.#count % 10 === 0) this.#socket?.send(ack(this.#count))
    }
  }

  #obey(control: Control | undefined): void {
    if (control?.kind === 'ack') this.#confirmed = Math.max(this.#confirmed, control.value)
    if (control?.kind === 'probe') this.#socket?.send(ack(this.#count))
  }
}

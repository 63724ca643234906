import { once } from 'node:events'
import type { AddressInfo, Socket } from 'node:net'
import type { TestContext } from 'node:test'
import { WebSocket, WebSocketServer } from 'ws'
import { isCloseFrameReceived } from '../../../lib/platform/ws-socket.js'

export function rawOf(socket: WebSocket): Socket {
  return Reflect.get(socket, '_socket') as Socket
}

/** A server-side socket that notes, when its `close()` is called, whether the peer's frame was there. */
export class NotingSocket extends WebSocket {
  readonly closes: Array<{ code: number | undefined; isFrameReceived: boolean }> = []

  override close(code?: number, reason?: string | Buffer): void {
    this.closes?.push({ code, isFrameReceived: isCloseFrameReceived(this) })
    super.close(code, reason)
  }
}

export interface Pair {
  readonly server: NotingSocket
  readonly raw: Socket
  readonly client: WebSocket
}

/** Both sides of a WebSocket, by ws. */
export async function openPair(t: TestContext, perMessageDeflate: boolean): Promise<Pair> {
  const wss = new WebSocketServer({
    host: '127.0.0.1',
    port: 0,
    WebSocket: NotingSocket,
    perMessageDeflate: perMessageDeflate && { threshold: 0 },
  })
  await once(wss, 'listening')
  const accepted = once(wss, 'connection')
  const client = new WebSocket(`ws://127.0.0.1:${(wss.address() as AddressInfo).port}`, {
    perMessageDeflate: perMessageDeflate && { threshold: 0 },
  })
  const [server, request] = (await accepted) as [NotingSocket, { socket: Socket }]
  if (client.readyState !== WebSocket.OPEN) await once(client, 'open')
  t.after(() => {
    client.terminate()
    server.terminate()
    wss.close()
  })
  return { server, client, raw: request.socket }
}

// A process whose clients are closed ends by itself: one while it waits, one while it is open, one in an attempt.
import { once } from 'node:events'
import { WebSocket, WebSocketServer } from 'ws'
import { LifecycleClient } from '../../lib/client/index.js'

const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
await once(server, 'listening')
const address = server.address()
if (typeof address !== 'object' || address === null) throw new TypeError('Expected a port')
const url = `ws://127.0.0.1:${address.port}`

const open = new LifecycleClient(url, { WebSocket, link: false })
await once(open, 'open')
const waiting = new LifecycleClient('ws://127.0.0.1:1', {
  WebSocket,
  backoff: { min: 2 ** 31 - 1, max: 2 ** 31 - 1 },
})
await once(waiting, 'lost')
const connecting = new LifecycleClient(url, { WebSocket, resume: true })
const asking = new LifecycleClient(() => new Promise(() => {}), { WebSocket })
await Promise.resolve()

for (const client of [open, waiting, connecting, asking]) client.close()
server.close()

// Node: its types and those of ws, and none of the DOM.
import { once } from 'node:events'
import { LifecycleClient } from 'fastify-websocket-lifecycle/client'
import { WebSocket } from 'ws'
import './events.js'

// @ts-expect-error: the types of the DOM are not here
export type None = Document

const client = new LifecycleClient('wss://example', { WebSocket })
const target: EventTarget = client
target.addEventListener('message', (event) => event.preventDefault())
once(client, 'close').then(([event]) => event)
class WithHeaders extends WebSocket {
  constructor(url: string, protocols: string[]) {
    super(url, protocols, { headers: { authorization: 'Bearer token' } })
  }
}
new LifecycleClient('wss://example', { WebSocket: WithHeaders })
client.send(Buffer.from('bytes'))

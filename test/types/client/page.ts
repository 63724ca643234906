// A page: the types of the DOM, and none of Node.
import { LifecycleClient } from 'fastify-websocket-lifecycle/client'
import './events.js'

const client = new LifecycleClient('wss://example', { WebSocket })
const target: EventTarget = client
target.addEventListener('message', (event) => event.preventDefault())
class WithLog extends WebSocket {
  constructor(url: string | URL, protocols?: string | string[]) {
    super(url, protocols)
    console.log(url)
  }
}
new LifecycleClient('wss://example', { WebSocket: WithLog })
// @ts-expect-error: its bytes are not at hand
client.send(new Blob(['text']))

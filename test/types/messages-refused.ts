// What `onMessage` and `onInvalidMessage` must refuse: each call stands on one line, for an error of an overload may be
// told anywhere in it.
import Fastify, { type FastifyRequest } from 'fastify'
import websocketLifecycle, { type LifecycleSocket, type Message } from 'fastify-websocket-lifecycle'

const app = Fastify()
const schema = { message: { type: 'object', properties: { id: { type: 'integer' } } } }
interface Order {
  Params: { id: string }
  Message: { buy: number }
}
interface Untold {
  Params: { id: string }
}
const nothing = (): void => {}
type Hook<About> = (socket: LifecycleSocket, request: FastifyRequest, about: About) => void
const onBinary: Hook<Buffer> = nothing
const onSale: Hook<{ sell: number }> = nothing
const onString: Hook<string> = nothing
const onMessage: Hook<Message> = nothing
const url = '/wrong'
const method = 'GET'
// @ts-expect-error
app.get(url, { websocket: true, onMessage: 'echo' }, nothing)
// @ts-expect-error: it may be a string
app.get(url, { websocket: true, onMessage: onBinary }, nothing)
// @ts-expect-error
app.get(url, { websocket: true, onMessage: onBinary, handler: nothing })
// @ts-expect-error
app.route({ method, url, websocket: true, onMessage: onBinary, handler: nothing })
// @ts-expect-error
app.route({ method, url, onMessage: onBinary, handler: nothing, wsHandler: nothing })
// @ts-expect-error: the generic says otherwise
app.get<Order>(url, { websocket: true, onMessage: onSale }, nothing)
// @ts-expect-error
app.get<Order>(url, { websocket: true, onMessage: (_s, _r, message) => message.sell }, nothing)
// @ts-expect-error: with a schema and no type provider nobody knows what it is
app.get(url, { websocket: true, schema, onMessage: onString }, nothing)
// @ts-expect-error
app.get(url, { websocket: true, schema, onMessage: (_s, _r, message) => message.id }, nothing)
// @ts-expect-error: nor where the route has generics of its own
app.get<Untold>(url, { websocket: true, schema, onMessage: (_s, _r, m) => m.toString() }, nothing)
// @ts-expect-error
app.get<Untold>(url, { websocket: true, schema, onMessage: onString }, nothing)
// @ts-expect-error
app.get<Untold>(url, { websocket: true, schema, onMessage, handler: nothing })
// @ts-expect-error
app.route<Untold>({ method, url, websocket: true, schema, onMessage, handler: nothing })
// @ts-expect-error
app.route<Untold>({ method, url, schema, onMessage, handler: nothing, wsHandler: nothing })
// @ts-expect-error: it may be a string
app.get<Untold>(url, { websocket: true, onMessage: onBinary }, nothing)
// @ts-expect-error
app.get(url, { websocket: true, onInvalidMessage: onString }, nothing)
// @ts-expect-error
app.route({ method, url, websocket: true, onInvalidMessage: 'ignore', handler: nothing })
// @ts-expect-error
app.get(url, { websocket: true, onMessage: (socket: string) => socket }, nothing)
// @ts-expect-error: messages are the business of a route
app.register(websocketLifecycle, { onMessage: nothing })
// @ts-expect-error
app.register(websocketLifecycle, { onInvalidMessage: nothing })

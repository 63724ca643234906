// The page for operators.
import fastify from 'fastify'
import websocketLifecycle from 'fastify-websocket-lifecycle'
import websocketDashboard, {
  websocketDashboard as named,
  type WebsocketDashboardOptions,
} from 'fastify-websocket-lifecycle/dashboard'

const app = fastify()
app.register(websocketLifecycle)
app.register(websocketDashboard, { prefix: '/admin', authorize: () => true })
void app.register(named, {
  authorize: async (request, reply) => {
    if (request.headers.authorization === 'Basic eDp5') return 'x'
    reply.header('www-authenticate', 'Basic')
    return false
  },
})
export const byCookie: WebsocketDashboardOptions = {
  authorize: ({ headers }, reply) => {
    if (headers.cookie === undefined) reply.redirect('/login')
    return headers.cookie !== undefined
  },
}
// @ts-expect-error
export const open: WebsocketDashboardOptions = { prefix: '/admin' }
// @ts-expect-error
export const noAnswer: WebsocketDashboardOptions = { authorize: () => {} }
// @ts-expect-error
export const unknownOption: WebsocketDashboardOptions = { authorize: () => true, title: 'x' }
// @ts-expect-error
app.register(websocketDashboard, { prefix: '/admin' })

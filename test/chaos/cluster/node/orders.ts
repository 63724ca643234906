import process from 'node:process'
import type { FastifyInstance } from 'fastify'
import type { Answer, Order, Report } from './config.js'

/** Does what the director asks. */
export function obey(
  app: FastifyInstance,
  calm: () => void,
  report: (report: Report) => void,
): void {
  process.on('message', (message) => {
    const { number, ...order } = message as Order & { readonly number: number }
    if (order.order === 'calm') return calm()
    answer(app, order)
      .catch((error: unknown) => ({ unreached: [], error: String(error) }))
      .then((answer) => report({ report: 'answer', to: number, answer }))
      .catch((error: unknown) => {
        throw error
      })
  })
}

async function answer(
  { websocketCluster: cluster }: FastifyInstance,
  order: Exclude<Order, { readonly order: 'calm' }>,
): Promise<Answer> {
  if (order.order === 'find') {
    const { found, unreached } = await cluster.find(order.key)
    return { found: found.map(({ id, node }) => ({ id, node })), unreached }
  }
  if (order.order === 'close') return cluster.close(order.key, 1012)
  const { unreached } = await cluster.publish(order.key, order.message)
  return { unreached }
}

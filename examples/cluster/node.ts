// The process of one node. The demo starts it, and lets go of it.
import { Redis } from 'ioredis'
import { buildNode } from './app.js'

const { NODE_NUMBER, NODE_PORT, REDIS_URL = '', PREFIX = '' } = process.env
const [number, port] = [Number(NODE_NUMBER), Number(NODE_PORT)]

if (!process.connected) process.exit() // the parent has ended while this was being loaded
const redis = new Redis(REDIS_URL)
redis.on('error', (error) => console.error(`Node ${number}: ${error.message}`))
const opening = buildNode(redis, { number, port, prefix: PREFIX })

// The parent disconnects it, or has ended. Ctrl+C reaches this process too, but it waits for its parent.
process.once('disconnect', async () => {
  const app = await opening
  await app.close()
  process.exit()
})
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => {})

const app = await opening
await app.listen({ host: '127.0.0.1', port })
process.send?.('listening')

// `npm run start:cluster`: three nodes that one can kill, and a page that shows what becomes of their clients.
import { onSignal } from '../demo/signals.js'
import { ClusterDemo } from './demo.js'

const { HOST: host = '127.0.0.1', PORT: port = '3000', REDIS_URL: redisUrl } = process.env

console.log('Three nodes are being started')
const opening = ClusterDemo.open({
  host,
  port: Number(port),
  redisUrl,
  visitors: 30,
  stir: 1_500,
})
onSignal(async () => {
  const demo = await opening
  await demo.close()
  console.log('The demo is closed')
})

try {
  const { url } = await opening
  console.log(`The demo is open at ${url} (Ctrl+C closes it)`)
} catch (error) {
  console.error((error as Error).message)
  process.exit(1)
}

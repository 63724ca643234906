// A tool that has patched ws before anything else loads it, as those do that hook into `require` and `import`.
import { counted, exchange, lookOn, type Register } from '../support/servers/looking-on.js'
import { tell } from './telling.js'

const { seen } = lookOn()
const REGISTER: Readonly<Record<string, () => Promise<Register>>> = {
  bare: async () => {
    const { default: plugin } = await import('@fastify/websocket')
    return (app) => app.register(plugin)
  },
  ours: async () => {
    const { default: plugin } = await import('../../lib/index.js')
    return (app) => app.register(plugin)
  },
}
const load = REGISTER[process.argv[2] ?? '']
if (load === undefined) throw new Error('Expected `bare` or `ours`')
await exchange(await load())
tell(JSON.stringify(counted(seen)))

// Builds the examples that tests ask for, each on a port of its own: a process for each test takes longer than most
// tests. An example is loaded anew each time, as some read the environment when they are loaded.
import Fastify, { type FastifyInstance } from 'fastify'
import 'fastify-websocket-lifecycle'

interface Example {
  readonly build: () => Promise<FastifyInstance>
}

const host = Fastify({ forceCloseConnections: true })
const apps = new Map<string, FastifyInstance>()
let loads = 0

host.post<{ Params: { name: string }; Body: Record<string, string> }>(
  '/:name',
  async ({ params, body }) => {
    Object.assign(process.env, body)
    const url = `../../examples/${params.name}.ts?${++loads}`
    const { build } = (await import(url)) as Example
    const app = await build()
    for (const name of Object.keys(body)) delete process.env[name]
    const { host: address } = new URL(await app.listen({ port: 0 }))
    apps.set(address, app)
    return address
  },
)

/** Says how many steps of an end were left behind. */
host.delete<{ Params: { address: string } }>('/:address', async ({ params }) => {
  const app = apps.get(params.address)
  apps.delete(params.address)
  const report = await app?.websocketLifecycle.drain()
  await app?.close()
  return String(report?.abandoned.length)
})

console.log(`The host is at ${await host.listen({ port: 0 })}`)

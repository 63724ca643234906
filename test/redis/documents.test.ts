// The code of docs/cluster.md that sets a node up, as it stands there.
import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { test } from 'node:test'
import type { FastifyInstance } from 'fastify'
import { startRedis } from '../support/redis/redis-server.js'
import { lookInto } from '../support/redis/test-node.js'
import { linkDependencies, root } from '../support/servers/tarball.js'
import { until, untilAsync } from '../support/time/timed.js'

const BEFORE = `import Fastify from 'fastify'
import websocketLifecycle from 'fastify-websocket-lifecycle'
`
const page = await readFile(join(root, 'docs/cluster.md'), 'utf8')
const blocks = Array.from(page.matchAll(/```ts\n([^]*?)```/g), ([, block = '']) => block)
const blockOf = (client: string): string =>
  blocks.find((block) => block.includes(`from '${client}'`)) ?? ''

for (const [name, block] of [
  ['ioredis', blockOf('ioredis')],
  ['iovalkey', blockOf('ioredis').replace("from 'ioredis'", "from 'iovalkey'")],
  ['node-redis', blockOf('redis')],
] as const) {
  test(`a node is set up with ${name}, and leaves nothing behind`, async (t) => {
    const server = await startRedis(t)
    const db = lookInto(t, server)
    const dir = await mkdtemp(join(tmpdir(), 'cluster-'))
    t.after(() => rm(dir, { recursive: true }))
    await linkDependencies(join(dir, 'node_modules'))
    await symlink(root, join(dir, 'node_modules/fastify-websocket-lifecycle'))
    const script = join(dir, 'app.mts')
    await writeFile(script, `${BEFORE}export const app = Fastify()\n${block}`)
    process.env['REDIS_URL'] = `redis://127.0.0.1:${server.port}`
    process.env['POD_IP'] = '127.0.0.1'
    const { app } = (await import(pathToFileURL(script).href)) as { app: FastifyInstance }
    await app.ready()
    await untilAsync(async () => (await db.zcard('wsl:{c}:nodes')) === 1)
    await until(() => app.websocketCluster.connected)
    assert.deepEqual(await app.websocketCluster.find('room'), { found: [], unreached: [] })
    await app.close()
    assert.deepEqual((await db.keys('*')).toSorted(), ['wsl:{c}:dead', 'wsl:{c}:fence'])
    // The connections of the app and of the plugin are closed: only ours is left.
    await untilAsync(async () => (await clients()) === 1)

    async function clients(): Promise<number> {
      return String(await db.client('LIST'))
        .trim()
        .split('\n').length
    }
  })
}

// fastify-cli with @fastify/autoload: a project as `fastify generate` makes it, started by `fastify start`.
import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, describe, it, type TestContext } from 'node:test'
import type { Peer } from '../../lib/testing/index.js'
import { connect } from '../support/peers/connect.js'
import { freePort } from '../../examples/cluster/free-port.js'
import { type Program, start } from '../support/servers/program.js'
import { linkDependencies, root } from '../support/servers/tarball.js'
import { within } from '../support/time/bound.js'

const FILES: Readonly<Record<string, string>> = {
  'package.json': '{ "type": "module" }',
  'app.js': `import { join } from 'node:path'
import autoload from '@fastify/autoload'
export default async function (app, options) {
  app.register(autoload, { dir: join(import.meta.dirname, 'plugins'), options: { ...options } })
  app.register(autoload, { dir: join(import.meta.dirname, 'routes'), options: { ...options } })
}
`,
  // In a function of the app: autoload gives the app's own options to each plugin, and ours refuses strange ones.
  'plugins/websocket.js': `import fp from 'fastify-plugin'
import websocketLifecycle from 'fastify-websocket-lifecycle'
export default fp((app) => app.register(websocketLifecycle, {
  keepalive: { interval: 200, timeout: 2_000 },
  closeTimeout: 1_000,
  onClose: (_socket, request, { cause }) => request.log.info('closed: ' + cause),
}))
`,
  'routes/feed/index.js': `export default async function (app) {
  app.get('/', {
    websocket: true,
    onMessage(socket, _request, message) {
      if (message === 'throw') throw new Error('thrown by the app')
      socket.send(message)
    },
  }, () => {})
}
`,
}
/** How long a process may take to start or to end on a busy machine. In ms. */
const LONG = 60_000

async function visit(t: TestContext, url: string, path = '/feed'): Promise<Peer> {
  const peer = await connect(url, path, { timeout: LONG })
  t.after(() => peer.socket.destroy())
  return peer
}

async function ask(peer: Peer): Promise<void> {
  peer.send('hi')
  assert.equal(await peer.next(), 'hi')
}

describe('fastify-cli with @fastify/autoload', () => {
  let dir: string
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'fastify-cli-'))
    await linkDependencies(join(dir, 'node_modules'))
    await symlink(root, join(dir, 'node_modules/fastify-websocket-lifecycle'))
    for (const [file, text] of Object.entries(FILES)) {
      await mkdir(dirname(join(dir, file)), { recursive: true })
      await writeFile(join(dir, file), text)
    }
  })
  after(() => rm(dir, { recursive: true }))

  /**
   * @param args of `fastify start`, beside the address and the app
   * @param ofApp behind the app
   */
  async function startProject(
    t: TestContext,
    args: string[] = [],
    ofApp: string[] = [],
  ): Promise<{ program: Program; url: string }> {
    const port = String(await freePort())
    const cli = join(root, 'node_modules/fastify-cli/cli.js')
    const where = ['--address', '127.0.0.1', '--port', port, '--log-level', 'info']
    const program = start(t, cli, {}, ['start', ...where, ...args, join(dir, 'app.js'), ...ofApp])
    await within(program.line('Server listening'), 'the server', LONG)
    return { program, url: `ws://127.0.0.1:${port}` }
  }

  it('opens, works, finds who is frozen, survives a throw, and is drained', async (t) => {
    const { program, url } = await startProject(t, ['--close-grace-delay', '10000'])
    const [frozen, throwing, other] = [
      await visit(t, url),
      await visit(t, url),
      await visit(t, url),
    ]
    for (const peer of [frozen, throwing, other]) await ask(peer)
    frozen.freeze()
    await within(program.line('closed: heartbeat-timeout'), 'the verdict', LONG)

    throwing.send('throw')
    assert.equal((await throwing.closed).code, 1011)
    await within(program.line('closed: handler-error'), 'the end', LONG)
    await ask(other)

    const frozenLater = await visit(t, url)
    frozenLater.freeze()
    program.kill('SIGTERM')
    assert.equal((await other.closed).code, 1012)
    const { code, stdout } = await within(program.exited, 'the end of the process', LONG)
    assert.equal(code, 0)
    assert.equal(stdout.filter((line) => line.includes('closed: shutdown')).length, 2)
  })

  it('ends after half a second by default, whether the drain is over or not', async (t) => {
    const { program, url } = await startProject(t)
    const frozen = await visit(t, url)
    const other = await visit(t, url)
    for (const peer of [frozen, other]) await ask(peer)
    frozen.freeze()
    program.kill('SIGTERM')
    assert.equal((await other.closed).code, 1012)
    const { code, stdout } = await within(program.exited, 'the end of the process', LONG)
    assert.equal(code, 1)
    // Nobody told the app of the frozen one; of the other one it was, if this machine was fast enough.
    assert.ok(stdout.filter((line) => line.includes('closed: shutdown')).length < 2)
  })

  it('takes options of the app, which autoload gives to all plugins', async (t) => {
    const { url } = await startProject(t, ['--prefix', '/api'], ['--', '--region', 'eu'])
    await ask(await visit(t, url, '/api/api/feed'))
  })
})

import { execFile } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { env, type Installed } from '../support/servers/tarball.js'

const run = promisify(execFile)

/** A project of somebody who tests an app with the packed package, and with a test runner of npm's registry. */
export class Project {
  readonly #dir: string

  private constructor(dir: string) {
    this.#dir = dir
  }

  /** @param packages what is installed beside the package and what it needs */
  static async make(installed: Installed, name: string, packages: string[]): Promise<Project> {
    const dir = join(installed.dir, name)
    await mkdir(dir)
    await writeFile(join(dir, 'package.json'), '{ "private": true }')
    const quiet = ['--no-audit', '--no-fund', '--loglevel', 'error']
    await run('npm', ['install', '--prefix', dir, ...quiet, ...packages], { cwd: dir, env })
    return new Project(dir)
  }

  /** Writes files into a folder of its own, as a project that runs the program in it, and tells how that ended. */
  async run(
    name: string,
    files: Readonly<Record<string, string>>,
    [program, ...args]: readonly [string, ...string[]],
    variables: Readonly<Record<string, string>> = {},
  ): Promise<{ code: unknown; output: string }> {
    const cwd = join(this.#dir, name)
    await mkdir(cwd)
    for (const [file, text] of Object.entries(files)) await writeFile(join(cwd, file), text)
    const bin = join(this.#dir, 'node_modules/.bin', program)
    try {
      // Without CI a runner may ask questions; with colours nobody finds a number.
      const surroundings = { ...env, CI: '1', NO_COLOR: '1', ...variables }
      const { stdout, stderr } = await run(bin, args, { cwd, env: surroundings })
      return { code: 0, output: stdout + stderr }
    } catch (error) {
      const { code, stdout, stderr } = error as { code: unknown; stdout: string; stderr: string }
      return { code, output: stdout + stderr }
    }
  }
}

/** Number of tests in {@link userTests}. */
export const TESTS = 4

/**
 * The tests of a user, for any runner with `test` and `expect`.
 * @param head imports what they need, and says how timers are faked
 */
export function userTests(head: string): string {
  return `${head}
async function build() {
  const app = Fastify()
  const clock = manualClock(app)
  await app.register(websocketLifecycle)
  const onMessage = (socket, _request, message) => socket.send(message)
  app.get('/', { websocket: true, onMessage }, () => {})
  return { app, clock }
}

test('a client that hangs is found', async () => {
  const { app, clock } = await build()
  const peer = await connect(app, '/')
  peer.send('hello')
  expect(await peer.next()).toBe('hello')
  const [socket] = app.websocketLifecycle.connections
  peer.freeze()
  await clock.advance(50_000)
  expect((await socket.closed).cause).toBe('heartbeat-timeout')
  await app.close()
  await nothingLeft(app)
})

test('a FIN, a RST, and a line that is cut', async () => {
  const { app, clock } = await build()
  const line = await link(app)
  const causes = []
  for (const end of [(peer) => peer.drop(), (peer) => peer.reset(), () => line.cut()]) {
    const peer = await connect(line, '/')
    const [socket] = app.websocketLifecycle.connections
    end(peer)
    causes.push((await clock.until(socket.closed)).cause)
  }
  expect(causes).toEqual(['connection-lost', 'connection-reset', 'heartbeat-timeout'])
  await app.close()
})

test('a refusal says why', async () => {
  const { app } = await build()
  await expect(connect(app, '/nowhere')).rejects.toThrow(UpgradeRefusedError)
  await expect(connect(app, '/nowhere')).rejects.toMatchObject({ status: 404 })
  await app.close()
})

test('fake timers change nothing', async () => {
  fakeTimers()
  const { app } = await build()
  const peer = await connect(app, '/')
  await expect(peer.next({ timeout: 20 })).rejects.toThrow('within 20 ms')
  peer.drop()
  await peer.closed
  realTimers()
  await app.close()
})
`
}

import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const run = promisify(execFile)

export const root: string = fileURLToPath(new URL('../../..', import.meta.url))

/** The environment of a child that is to be left out of the coverage. */
export const env: NodeJS.ProcessEnv = { ...process.env }
delete env['NODE_V8_COVERAGE']
delete env['NODE_OPTIONS']
// Set for a test file by its runner; a child that inherits it reports in the runner's own format.
delete env['NODE_TEST_CONTEXT']

/** A folder in which the packed package is installed, as it would be published. */
export interface Installed extends AsyncDisposable {
  readonly dir: string
  /** What the tarball holds, sorted. */
  readonly files: readonly string[]
  /** Bytes of the tarball. */
  readonly size: number
}

/** What `npm pack --json` tells. */
interface Packed {
  readonly filename: string
  readonly files: ReadonlyArray<{ readonly path: string }>
  readonly size: number
}

/** Packs `dist` as it is (`npm test` builds it) and unpacks it beside this project's dependencies. */
export async function installTarball(): Promise<Installed> {
  const dir = await mkdtemp(join(tmpdir(), 'fastify-websocket-lifecycle-'))
  // A project of its own, whatever lies in the folders above.
  await writeFile(join(dir, 'package.json'), '{ "private": true }')
  const pack = ['pack', '--ignore-scripts', '--json', '--pack-destination', dir]
  const { stdout } = await run('npm', pack, { cwd: root, env })
  const [tarball] = JSON.parse(stdout) as Packed[]
  if (tarball === undefined) throw new Error(`npm pack told nothing: ${stdout}`)
  await run('tar', ['-xzf', tarball.filename], { cwd: dir })
  await linkDependencies(join(dir, 'node_modules'))
  await cp(join(dir, 'package'), join(dir, 'node_modules/fastify-websocket-lifecycle'), {
    recursive: true,
  })
  return {
    dir,
    files: tarball.files.map((file) => file.path).toSorted(),
    size: tarball.size,
    [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }),
  }
}

/** Makes a `node_modules` of links to this project's dependencies. */
export async function linkDependencies(target: string): Promise<void> {
  await mkdir(target)
  const source = join(root, 'node_modules')
  for (const name of await readdir(source)) {
    if (!name.startsWith('.')) await symlink(join(source, name), join(target, name))
  }
}

/** ms. A compiler takes its time on a loaded machine; only what hangs for ever is stopped. */
const LONG = 10 * 60_000

/** Runs Node in `cwd` and hands back how that ended; never rejects for an exit code. */
export async function runNode(
  args: readonly string[],
  cwd: string,
): Promise<{ code: unknown; stdout: string; stderr: string }> {
  try {
    const { stdout, stderr } = await run(process.execPath, args, { cwd, env, timeout: LONG })
    return { code: 0, stdout, stderr }
  } catch (error) {
    const { code, stdout, stderr } = error as { code: unknown; stdout: string; stderr: string }
    return { code, stdout, stderr }
  }
}

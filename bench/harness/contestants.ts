/** Who takes part, how each is started, and what its peers have to say. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Dialect, socketIo, webSocket } from './dialects.js'

export interface Contestant {
  readonly name: string
  readonly dialect: Dialect
  /** The program and its arguments; the settings follow as JSON. */
  readonly command: readonly string[]
}

/** @returns nobody where a contestant is left out */
export type Find = (name: string) => Contestant | undefined

/** Of what is in the folder of the benchmark. */
export const path = (name: string): string => fileURLToPath(new URL(`../${name}`, import.meta.url))

const NODE = [process.execPath, '--import', 'tsx', '--expose-gc']

/** @param dist the plugin, where it is not today's */
export function onFastify(name: string, variant = name, dist = path('../dist')): Contestant {
  return { name, dialect: webSocket, command: [...NODE, path('servers/fastify.ts'), variant, dist] }
}

/** Each throws where it cannot be started. */
const COMMANDS: Readonly<Record<string, () => string[]>> = {
  'Socket.IO'() {
    import.meta.resolve('socket.io')
    return [...NODE, path('others/socket-io.js')]
  },
  Bun() {
    run(path('node_modules/.bin/bun'), ['--version'])
    return [path('node_modules/.bin/bun'), path('others/bun.js')]
  },
  /** Debian keeps gorilla/websocket where Go has looked before it had modules. */
  gorilla() {
    const program = join(temporaryFolder(), 'gorilla')
    const env = { ...process.env, GO111MODULE: 'off', GOPATH: '/usr/share/gocode', GOFLAGS: '' }
    run('go', ['build', '-o', program, path('others/gorilla.go')], { env })
    return [program]
  },
}

/** Those that do not run on Fastify; nobody by the name of one that cannot be started here. */
export function others(): Map<string, Contestant | undefined> {
  const found = new Map<string, Contestant | undefined>()
  for (const [name, commandOf] of Object.entries(COMMANDS)) {
    found.set(name, undefined)
    try {
      const dialect = name === 'Socket.IO' ? socketIo : webSocket
      found.set(name, { name, dialect, command: commandOf() })
    } catch (error) {
      console.log(`left out: ${name} (${String(error).trim()})`)
    }
  }
  return found
}

/**
 * Builds the plugin at a commit, with the packages that are installed here.
 * @returns each contestant: with that plugin by its name and ` at REF`, with today's by its name
 */
export function contestantsAt(ref: string): Find {
  const folder = join(temporaryFolder(), 'at')
  run('git', ['worktree', 'add', '--detach', folder, ref])
  process.once('exit', () => run('git', ['worktree', 'remove', '--force', folder]))
  symlinkSync(path('../node_modules'), join(folder, 'node_modules'))
  run('npm', ['run', 'build'], { cwd: folder })
  return (name) => {
    const [variant = name, isAt] = name.split(` at ${ref}`)
    return isAt === undefined ? onFastify(name) : onFastify(name, variant, join(folder, 'dist'))
  }
}

/** Runs a program to its end; what it writes is in the error that it throws. */
function run(program: string, args: string[], options: object = {}): void {
  execFileSync(program, args, { cwd: path('.'), stdio: 'pipe', ...options })
}

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'bench-'))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  return folder
}

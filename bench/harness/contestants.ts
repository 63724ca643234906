/** Who takes part, how each is started, and what its peers have to say. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
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

const NODE = [process.execPath, '--import', 'tsx', '--expose-gc']

/** @param dist the plugin, where it is not today's */
export function onFastify(name: string, variant = name, dist = path('../dist')): Contestant {
  return { name, dialect: webSocket, command: [...NODE, path('servers/fastify.ts'), variant, dist] }
}

/** Those that can be started here, by their names; `leftOut` is told of the rest. */
export function others(leftOut: (name: string, why: string) => void): Map<string, Contestant> {
  const all: ReadonlyArray<readonly [name: string, dialect: Dialect, find: () => string[]]> = [
    ['Socket.IO', socketIo, findSocketIo],
    ['Bun', webSocket, findBun],
    ['gorilla', webSocket, buildGorilla],
  ]
  const found = new Map<string, Contestant>()
  for (const [name, dialect, find] of all) {
    try {
      found.set(name, { name, dialect, command: find() })
    } catch (error) {
      leftOut(name, error instanceof Error ? error.message : String(error))
    }
  }
  return found
}

function findSocketIo(): string[] {
  import.meta.resolve('socket.io')
  return [...NODE, path('others/socket-io.js')]
}

function findBun(): string[] {
  const bun = path('node_modules/.bin/bun')
  run(bun, ['--version'])
  return [bun, path('others/bun.js')]
}

/** Debian keeps gorilla/websocket in the tree of sources that Go has from before its modules. */
function buildGorilla(): string[] {
  const program = join(temporaryFolder(), 'gorilla')
  const env = { GO111MODULE: 'off', GOPATH: '/usr/share/gocode', GOFLAGS: '' }
  run('go', ['build', '-o', program, path('others/gorilla.go')], { env })
  return [program]
}

export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'bench-'))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** Runs a program to its end. */
export function run(
  program: string,
  args: readonly string[],
  { cwd, env }: { cwd?: string; env?: Record<string, string> } = {},
): void {
  const { error, status, stderr } = spawnSync(program, args, {
    cwd: cwd ?? path('.'),
    encoding: 'utf8',
    env: { ...process.env, ...env },
  })
  if (error) throw error
  if (status !== 0) throw new Error(stderr)
}

/** Of what is in this folder. */
export function path(name: string): string {
  return fileURLToPath(new URL(`../${name}`, import.meta.url))
}

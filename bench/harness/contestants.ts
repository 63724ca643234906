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

const ON_FASTIFY = [
  'bare',
  'bare, as text',
  'bare, corked',
  'sweep',
  'sweep, spread',
  'timers',
  'ours',
  'ours, no keepalive',
  'ours, onMessage',
  'ours, async onMessage',
  'ours, everything on',
]
const NODE = [process.execPath, '--import', 'tsx', '--expose-gc']

function source(name: string): string {
  return fileURLToPath(new URL(`../${name}`, import.meta.url))
}

export function onFastify(name: string): Contestant {
  return { name, dialect: webSocket, command: [...NODE, source('servers/fastify.ts'), name] }
}

/** @returns the contestants that can be started here; `leftOut` is told of the others */
export function lineUp(leftOut: (name: string, why: string) => void): Contestant[] {
  const contestants = ON_FASTIFY.map(onFastify)
  const others: ReadonlyArray<readonly [name: string, dialect: Dialect, find: () => string[]]> = [
    ['Socket.IO', socketIo, findSocketIo],
    ['Bun', webSocket, findBun],
    ['gorilla', webSocket, buildGorilla],
  ]
  for (const [name, dialect, find] of others) {
    try {
      contestants.push({ name, dialect, command: find() })
    } catch (error) {
      leftOut(name, error instanceof Error ? error.message : String(error))
    }
  }
  return contestants
}

function findSocketIo(): string[] {
  import.meta.resolve('socket.io')
  return [...NODE, source('servers/socket-io.js')]
}

function findBun(): string[] {
  const bun = source('node_modules/.bin/bun')
  run(bun, ['--version'])
  return [bun, source('servers/bun.js')]
}

/** Debian keeps gorilla/websocket in the tree of sources that Go has from before its modules. */
function buildGorilla(): string[] {
  const folder = mkdtempSync(join(tmpdir(), 'bench-'))
  process.once('exit', () => rmSync(folder, { recursive: true }))
  const program = join(folder, 'gorilla')
  run('go', ['build', '-o', program, 'gorilla.go'], {
    GO111MODULE: 'off',
    GOPATH: '/usr/share/gocode',
    GOFLAGS: '',
  })
  return [program]
}

/** Runs a program to its end, among the servers. */
function run(program: string, args: string[], env: Record<string, string> = {}): void {
  const { error, status, stderr } = spawnSync(program, args, {
    cwd: source('servers'),
    encoding: 'utf8',
    env: { ...process.env, ...env },
  })
  if (error) throw error
  if (status !== 0) throw new Error(stderr)
}

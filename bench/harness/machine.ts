/** Where the figures come from. */
import { existsSync, readFileSync } from 'node:fs'
import { cpus, release, totalmem, type } from 'node:os'
import { path } from './contestants.js'

export interface Machine {
  readonly cpu: string
  readonly cores: number
  readonly memory: string
  readonly system: string
  readonly versions: Readonly<Record<string, string>>
}

export function thisMachine(): Machine {
  const measured = ['fastify', '@fastify/websocket', 'ws'].map((name) => versionOf('..', name))
  const others = ['socket.io', 'bun'].map((name) => versionOf('.', name))
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    memory: `${Math.round(totalmem() / 2 ** 30)} GiB`,
    system: `${type()} ${release()}`,
    versions: Object.fromEntries([['node', process.versions.node], ...measured, ...others]),
  }
}

function versionOf(folder: string, name: string): [name: string, version: string] {
  const file = path(`${folder}/node_modules/${name}/package.json`)
  if (!existsSync(file)) return [name, 'not installed']
  return [name, (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version]
}

/** Where the figures come from. */
import { existsSync, readFileSync } from 'node:fs'
import { cpus, release, totalmem, type as system } from 'node:os'

export interface Machine {
  readonly cpu: string
  readonly cores: number
  readonly memory: string
  readonly system: string
  readonly versions: Readonly<Record<string, string>>
}

const PACKAGES = ['fastify', '@fastify/websocket', 'ws']
/** The benchmark's own. */
const CONTESTANTS = ['socket.io', 'bun']

export function thisMachine(): Machine {
  const [first] = cpus()
  return {
    cpu: first?.model ?? 'unknown',
    cores: cpus().length,
    memory: `${Math.round(totalmem() / 2 ** 30)} GiB`,
    system: `${system()} ${release()}`,
    versions: Object.fromEntries([
      ['node', process.versions.node],
      ...PACKAGES.map((name) => [name, versionOf(`../../node_modules/${name}`)]),
      ...CONTESTANTS.map((name) => [name, versionOf(`../node_modules/${name}`)]),
    ]) as Record<string, string>,
  }
}

function versionOf(folder: string): string {
  const url = new URL(`${folder}/package.json`, import.meta.url)
  if (!existsSync(url)) return 'not installed'
  const { version } = JSON.parse(readFileSync(url, 'utf8')) as { version: string }
  return version
}

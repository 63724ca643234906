import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { promisify } from 'node:util'
import { freePort } from '../../../examples/cluster/free-port.js'
import { root } from '../../support/servers/tarball.js'

/** Where Debian puts it. */
const EXECUTABLE = process.env['PROMETHEUS'] ?? '/usr/bin/prometheus'
const TOOL = process.env['PROMTOOL'] ?? '/usr/bin/promtool'

export const RULES = join(root, 'docs/prometheus-rules.yml')

/** How long a real Prometheus may take, in ms; nothing else depends on how long it is. */
const PATIENCE = 60_000

interface Answer {
  readonly status: string
  readonly error?: string
  readonly data: { readonly result: ReadonlyArray<{ readonly value: readonly [number, string] }> }
}

interface Rule {
  readonly name: string
  readonly health: string
  readonly lastError?: string
}

/** A real Prometheus that scrapes one server each second. */
export class Prometheus {
  readonly #url: string

  constructor(url: string) {
    this.#url = url
  }

  /** @returns the values of what it finds */
  async query(expression: string): Promise<number[]> {
    const answer = (await this.#ask('query', new URLSearchParams({ query: expression }))) as Answer
    if (answer.status !== 'success') throw new Error(`${expression}: ${answer.error}`)
    return answer.data.result.map(({ value: [, value] }) => Number(value))
  }

  /** Resolves when it finds this. */
  async finds(expression: string): Promise<void> {
    await eventually(async () => (await this.query(expression)).length > 0, expression)
  }

  async rules(): Promise<Rule[]> {
    const { data } = (await this.#ask('rules')) as { data: { groups: Array<{ rules: Rule[] }> } }
    return data.groups.flatMap(({ rules }) => rules)
  }

  async isReady(): Promise<boolean> {
    try {
      return (await fetch(new URL('/-/ready', this.#url))).ok
    } catch {
      return false
    }
  }

  async #ask(what: string, query?: URLSearchParams): Promise<unknown> {
    const response = await fetch(new URL(`/api/v1/${what}?${query?.toString() ?? ''}`, this.#url))
    return response.json()
  }
}

/** Starts one, and ends it with the test. @param port of the server that it scrapes */
export async function startPrometheus(t: TestContext, port: number): Promise<Prometheus> {
  if (!existsSync(EXECUTABLE)) {
    throw new Error(
      `Expected Prometheus at ${EXECUTABLE}: \`apt-get install prometheus\`, or PROMETHEUS=/path`,
    )
  }
  const dir = await mkdtemp(join(tmpdir(), 'fastify-websocket-lifecycle-prometheus-'))
  const config = {
    global: { scrape_interval: '1s', evaluation_interval: '1s' },
    rule_files: [RULES],
    scrape_configs: [{ job_name: 'app', static_configs: [{ targets: [`127.0.0.1:${port}`] }] }],
  }
  // JSON is YAML.
  await writeFile(join(dir, 'prometheus.yml'), JSON.stringify(config))
  const own = await freePort()
  const child = spawn(
    EXECUTABLE,
    [
      `--config.file=${dir}/prometheus.yml`,
      `--storage.tsdb.path=${dir}/data`,
      `--web.listen-address=127.0.0.1:${own}`,
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  )
  let said = ''
  child.stderr.on('data', (data: Buffer) => (said += data.toString()))
  const exited = once(child, 'close')
  t.after(async () => {
    child.kill('SIGKILL')
    await exited
    await rm(dir, { recursive: true, force: true })
  })
  const prometheus = new Prometheus(`http://127.0.0.1:${own}`)
  await eventually(async () => {
    if (child.exitCode !== null) throw new Error(`Prometheus did not start: ${said}`)
    return prometheus.isReady()
  }, 'Prometheus')
  return prometheus
}

/** Runs promtool. @returns what it said; it throws if that was an error */
export async function promtool(args: readonly string[], input = ''): Promise<string> {
  const running = promisify(execFile)(TOOL, args)
  running.child.stdin?.end(input)
  const { stdout, stderr } = await running
  return stdout + stderr
}

/** Asks again and again: Prometheus tells nobody by itself. */
async function eventually(holds: () => Promise<boolean>, what: string): Promise<void> {
  const until = performance.now() + PATIENCE
  while (!(await holds())) {
    if (performance.now() > until) throw new Error(`Expected this to come: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

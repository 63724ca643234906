import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { env, root } from './tarball.js'

export interface Outcome {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  /** All that it said, line by line. */
  readonly stdout: readonly string[]
  readonly stderr: string
}

/** A script of this repository, started as its user would start it. */
export interface Program {
  /** Resolves with the next line of stdout that has `text` in it; rejects if none comes any more. */
  line(text: string): Promise<string>
  kill(signal: NodeJS.Signals): void
  readonly exited: Promise<Outcome>
}

export function start(
  t: { after(stop: () => Promise<void>): void },
  script: string,
  variables: Record<string, string> = {},
  args: readonly string[] = [],
): Program {
  const child = spawn(process.execPath, ['--import', 'tsx', script, ...args], {
    cwd: root,
    env: { ...env, ...variables },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const stdout: string[] = []
  let stderr = ''
  let taken = 0
  let isOver = false
  let wake: (() => void) | undefined
  child.stderr.on('data', (data: Buffer) => (stderr += data.toString()))
  createInterface(child.stdout).on('line', (line) => {
    stdout.push(line)
    wake?.()
  })
  const exited = once(child, 'close').then(([code, signal]: unknown[]): Outcome => {
    isOver = true
    wake?.()
    return { code: code as number | null, signal: signal as NodeJS.Signals | null, stdout, stderr }
  })
  t.after(async () => {
    child.kill('SIGKILL')
    await exited
  })
  return {
    exited,
    kill: (signal) => void child.kill(signal),
    async line(text) {
      for (;;) {
        while (taken < stdout.length) {
          const line = stdout[taken++] as string
          if (line.includes(text)) return line
        }
        if (isOver)
          throw new Error(`${script} ended without "${text}": ${stdout.join('\n')}${stderr}`)
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
    },
  }
}

/** The first address in a line, such as http://127.0.0.1:3000. */
export function addressIn(line: string): URL {
  const [address] = /http:\/\/[^\s"]+/.exec(line) ?? []
  if (address === undefined) throw new Error(`Expected an address in: ${line}`)
  return new URL(address)
}

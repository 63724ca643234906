import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { env, root } from './tarball.js'

export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  /** All that it said, line by line. */
  readonly lines: readonly string[]
  readonly stderr: string
}

/** A script of test/stories that runs as a process of its own. */
export interface Story {
  /** Resolves with the next line that it prints; rejects if it ends before. */
  next(): Promise<string>
  kill(signal: NodeJS.Signals): void
  readonly exited: Promise<Exit>
}

/** Starts a story; what it prints to stdout is what it tells. */
export async function tell(t: TestContext, name: string, ...args: string[]): Promise<Story> {
  const script = fileURLToPath(new URL(`../stories/${name}.ts`, import.meta.url))
  const child = spawn(process.execPath, ['--import', 'tsx', script, ...args], { cwd: root, env })
  t.after(() => child.kill('SIGKILL'))
  let stderr = ''
  child.stderr.on('data', (data: Buffer) => (stderr += data.toString()))
  const lines: string[] = []
  let taken = 0
  let hasEnded = false
  let wake: (() => void) | undefined
  const reader = createInterface(child.stdout)
  reader.on('line', (line) => {
    lines.push(line)
    wake?.()
  })
  const exited = once(child, 'close').then(([code, signal]) => {
    hasEnded = true
    wake?.()
    return { code, signal, lines, stderr }
  })
  await once(child, 'spawn')
  return {
    exited,
    kill: (signal) => void child.kill(signal),
    async next() {
      while (lines.length <= taken) {
        if (hasEnded) throw new Error(`The story ${name} is over: ${lines.join(' | ')} ${stderr}`)
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
      return lines[taken++] as string
    },
  }
}

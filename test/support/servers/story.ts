import type { TestContext } from 'node:test'
import { type Program, start } from './program.js'
import { isSecondPass } from './second-pass.js'
import { isTlsPass } from './tls-pass.js'

/** Not every story imports what the tests import. */
const PASSES = [...(isSecondPass ? ['second-pass'] : []), ...(isTlsPass ? ['tls-pass'] : [])].map(
  (pass) => ` --import ./test/support/servers/${pass}.ts`,
)

const VARIABLES: Record<string, string> =
  PASSES.length === 0 ? {} : { NODE_OPTIONS: `--import tsx${PASSES.join('')}` }

/** A script of test/stories that runs as a process of its own: what it prints is what it tells. */
export interface Story extends Pick<Program, 'exited' | 'kill'> {
  /** Resolves with the next line that it prints; rejects if it ends before. */
  next(): Promise<string>
}

export function tell(t: TestContext, name: string, ...args: string[]): Story {
  const program = start(t, `test/stories/${name}.ts`, VARIABLES, args)
  return {
    exited: program.exited,
    kill: (signal) => program.kill(signal),
    next: () => program.line(''),
  }
}

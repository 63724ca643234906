/** The plugin of another commit as a contestant. */
import { symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { type Find, onFastify, path, run, temporaryFolder } from './contestants.js'
import type { Scenario } from './scenario.js'

/**
 * Checks a commit out and builds it, with the packages that are installed here.
 * @returns each contestant: those at that commit by their names with ` at REF`, today's without
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

/** Ours and no others, each beside itself at that commit. */
export function against(scenario: Scenario, ref: string): Scenario {
  const entrants: Record<string, string | null> = {}
  for (const name of Object.keys(scenario.entrants).filter((each) => each.startsWith('ours'))) {
    entrants[`${name} at ${ref}`] = null
    entrants[name] = `${name} at ${ref}`
  }
  return { ...scenario, entrants, targets: [] }
}

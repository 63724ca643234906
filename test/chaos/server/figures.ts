// What the last runs have shown, and what the document quotes of it.
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import type { Judgement } from '../judgement.js'

/** Of one run. */
export interface Run {
  readonly command: string
  readonly node: string
  readonly processor: string
  readonly violations: number
  /** Numbers by name, in their order. */
  readonly counts: Readonly<Record<string, number>>
}

/** By the name of the quote. */
export type Figures = Readonly<Record<string, Run>>

const RESULTS = new URL('./results.json', import.meta.url)
const DOCUMENT = new URL('../../../docs/reliability.md', import.meta.url)
const QUOTE = /(<!-- chaos:begin (\w+) -->\n)[^]*?(\n<!-- chaos:end -->)/g

export function figures(): Figures {
  return JSON.parse(readFileSync(RESULTS, 'utf8')) as Figures
}

export function document(): string {
  return readFileSync(DOCUMENT, 'utf8')
}

/** @throws if the document quotes a run that there is not */
export function quoted(text: string, runs: Figures): string {
  return text.replaceAll(QUOTE, (_all, begin: string, name: string, end: string) => {
    const run = runs[name]
    if (run === undefined) throw new Error(`Expected a run of chaos, got ${name}`)
    return `${begin}\n${tableOf(run)}\n${end}`
  })
}

/** Keeps a run, and has the document tell of it. */
export function write(name: string, command: string, judgement: Judgement): void {
  const run: Run = {
    command,
    node: process.version,
    processor: `${cpus().length} × ${cpus()[0]?.model.trim() ?? 'unknown'}`,
    violations: judgement.violations.length,
    counts: Object.fromEntries(judgement.counts),
  }
  const runs = { ...figures(), [name]: run }
  writeFileSync(RESULTS, `${JSON.stringify(runs, null, 2)}\n`)
  writeFileSync(DOCUMENT, quoted(document(), runs))
  execFileSync('npx', ['oxfmt', ...[RESULTS, DOCUMENT].map((url) => fileURLToPath(url))])
}

/** With its columns as wide as the formatter makes them. */
function tableOf({ command, counts, node, processor, violations }: Run): string {
  const rows = Object.entries({ ...counts, violations }).map(([name, count]) => [
    name,
    count.toLocaleString('en'),
  ])
  const head = ['', 'count']
  const widths = head.map((_, column) =>
    Math.max(3, ...[head, ...rows].map((row) => row[column]?.length ?? 0)),
  )
  const lines = [head, widths.map((width) => '-'.repeat(width)), ...rows].map(
    (row) => `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`,
  )
  return [`\`${command}\`, on Node ${node}, ${processor}:`, '', ...lines].join('\n')
}

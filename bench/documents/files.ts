/** What is made of the results: a file for each picture, and what documents quote between two comments. */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { posix } from 'node:path'
import { fromJson, type Results } from '../harness/results.js'
import { SCENARIOS } from '../scenarios/all.js'
import { draw } from './chart.js'
import { PICTURES, TABLES } from './declared.js'
import { inWords, numbersOf } from './numbers.js'
import { markdownOf } from './table.js'

const ROOT = new URL('../../', import.meta.url)
export const FOLDER = 'docs/performance'
/** Those that may quote. */
export const DOCUMENTS = [
  'README.md',
  ...readdirSync(new URL('docs', ROOT))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
]
const QUOTE = /(<!-- bench:begin ([\w-]+) -->\n)[^]*?(\n<!-- bench:end -->)/g

function read(path: string): string {
  return readFileSync(new URL(path, ROOT), 'utf8')
}

/** @returns what has to be in each file, by its path from the root */
export function made(): Map<string, string> {
  const results = fromJson(read('bench/results.json'))
  const files = new Map<string, string>()
  for (const picture of PICTURES) {
    const numbers = numbersOf(picture, results, SCENARIOS)
    files.set(`${FOLDER}/${picture.name}.svg`, draw(picture, numbers, results))
  }
  for (const path of DOCUMENTS) files.set(path, quoted(read(path), quotesFor(path, results)))
  return files
}

function quotesFor(document: string, results: Results): Map<string, string> {
  const folder = posix.relative(posix.dirname(document), FOLDER)
  return new Map([
    ...TABLES.map((table) => [table.name, markdownOf(table, results)] as const),
    ...PICTURES.map((picture) => {
      const words = inWords(numbersOf(picture, results, SCENARIOS))
      return [picture.name, `![${picture.title}. ${words}](${folder}/${picture.name}.svg)`] as const
    }),
  ])
}

/** @throws if the document quotes what there is not */
export function quoted(document: string, quotes: ReadonlyMap<string, string>): string {
  return document.replaceAll(QUOTE, (_all, begin: string, name: string, end: string) => {
    const quote = quotes.get(name)
    if (quote === undefined)
      throw new Error(`Expected one of ${[...quotes.keys()].join(', ')}, got ${name}`)
    return `${begin}\n${quote}\n${end}`
  })
}

/** @returns the names of what it quotes */
export function quotesOf(document: string): string[] {
  return [...document.matchAll(QUOTE)].map(([, , name = '']) => name)
}

/** Writes them, and none remains in the folder but those. */
export function writeDocuments(): void {
  const files = made()
  rmSync(new URL(FOLDER, ROOT), { recursive: true, force: true })
  mkdirSync(new URL(FOLDER, ROOT))
  for (const [path, content] of files) writeFileSync(new URL(path, ROOT), content)
}

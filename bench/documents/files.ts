/** What is made of the results: a file for each picture, and what documents quote between two comments. */
import { readdirSync, readFileSync } from 'node:fs'
import { posix } from 'node:path'
import { fromJson } from '../harness/results.js'
import { SCENARIOS } from '../scenarios/all.js'
import { draw } from './chart.js'
import { PICTURES, TABLES } from './declared.js'
import { columnsOf, inWords } from './numbers.js'
import { markdownOf } from './table.js'

export const ROOT = new URL('../../', import.meta.url)
export const FOLDER = 'docs/performance'
/** Those that may quote. */
export const DOCUMENTS = readdirSync(new URL('docs', ROOT))
  .filter((name) => name.endsWith('.md'))
  .map((name) => `docs/${name}`)
  .concat('README.md')
const QUOTE = /(<!-- bench:begin ([\w-]+) -->\n)[^]*?(\n<!-- bench:end -->)/g

function read(path: string): string {
  return readFileSync(new URL(path, ROOT), 'utf8')
}

/** @returns what has to be in each file, by its path from the root */
export function made(): Map<string, string> {
  const results = fromJson(read('bench/results.json'))
  const files = new Map<string, string>()
  const quotes = new Map(TABLES.map((table) => [table.name, markdownOf(table, results)]))
  for (const picture of PICTURES) {
    const { name, title } = picture
    const columns = columnsOf(picture, results, SCENARIOS)
    files.set(`${FOLDER}/${name}.svg`, draw(picture, columns, results))
    quotes.set(name, `![${title}. ${inWords(columns)}](${FOLDER}/${name}.svg)`)
  }
  for (const path of DOCUMENTS) {
    const quoting = quoted(read(path), quotes)
    // A link is relative to its document.
    files.set(
      path,
      quoting.replaceAll(`](${FOLDER}/`, `](${posix.relative(posix.dirname(path), FOLDER)}/`),
    )
  }
  return files
}

/** @throws if the document quotes what there is not */
export function quoted(document: string, quotes: ReadonlyMap<string, string>): string {
  return document.replaceAll(QUOTE, (_all, begin: string, name: string, end: string) => {
    const quote = quotes.get(name)
    if (quote) return `${begin}\n${quote}\n${end}`
    throw new Error(`Expected one of ${[...quotes.keys()].join(', ')}, got ${name}`)
  })
}

/** @returns the names of what it quotes */
export function quotesOf(document: string): string[] {
  return [...document.matchAll(QUOTE)].map(([, , name = '']) => name)
}

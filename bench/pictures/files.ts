/** All files that are made of the results. */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { posix } from 'node:path'
import { fromJson, type Results } from '../harness/results.js'
import { SCENARIOS } from '../scenarios/all.js'
import { PICTURES, TABLES } from './declared.js'
import { quoted, shown } from './documents.js'
import { draw } from './draw.js'
import type { Picture } from './picture.js'
import { markdownOf } from './table.js'
import { THEMES } from './themes.js'

const ROOT = new URL('../../', import.meta.url)
const RESULTS = 'bench/results.json'
export const FOLDER = 'docs/performance'
/** Those that may quote. */
export const DOCUMENTS = ['README.md', ...documentsIn('docs')]

function read(path: string): string {
  return readFileSync(new URL(path, ROOT), 'utf8')
}

/** @returns what has to be in each file, by its path from the root */
export function made(): Map<string, string> {
  const results = fromJson(read(RESULTS))
  const files = new Map<string, string>()
  for (const picture of PICTURES) {
    for (const [theme, colours] of Object.entries(THEMES)) {
      files.set(fileOf(picture, theme), draw(picture, results, SCENARIOS, colours))
    }
  }
  for (const path of DOCUMENTS) files.set(path, quoted(read(path), quotesFor(path, results)))
  return files
}

function quotesFor(document: string, results: Results): Map<string, string> {
  const quotes = new Map<string, string>()
  for (const table of TABLES) quotes.set(table.name, markdownOf(table, results))
  for (const picture of PICTURES) {
    const linked = (theme: string): string =>
      posix.relative(posix.dirname(document), fileOf(picture, theme))
    quotes.set(picture.name, shown(picture, results, SCENARIOS, linked))
  }
  return quotes
}

/** Writes them, and none remains in the folder but those. */
export function make(): void {
  const files = made()
  const folder = new URL(FOLDER, ROOT)
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder)
  for (const [path, content] of files) writeFileSync(new URL(path, ROOT), content)
}

function documentsIn(folder: string): string[] {
  const names = readdirSync(new URL(folder, ROOT)).filter((name) => name.endsWith('.md'))
  return names.toSorted().map((name) => `${folder}/${name}`)
}

function fileOf({ name }: Picture, theme: string): string {
  return `${FOLDER}/${name}-${theme}.svg`
}

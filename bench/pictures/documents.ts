/** What documents quote of the results, each between two comments: `<!-- bench:begin NAME -->` and `<!-- bench:end -->`. */
import type { Results } from '../harness/results.js'
import type { Scenario } from '../harness/scenario.js'
import { fill, inShort } from './cells.js'
import { WIDTH } from './layout.js'
import type { Picture } from './picture.js'
import { escaped } from './svg.js'

const QUOTE = /(<!-- bench:begin ([\w-]+) -->\n)[^]*?(\n<!-- bench:end -->)/g

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

/** The picture for light pages and for dark ones, and in words. */
export function shown(
  picture: Picture,
  results: Results,
  scenarios: readonly Scenario[],
  linked: (theme: 'light' | 'dark') => string,
): string {
  const alt = `${picture.title}. ${inShort(fill(picture, results, scenarios))}`
  return [
    '<picture>',
    `  <source media="(prefers-color-scheme: dark)" srcset="${linked('dark')}">`,
    `  <img src="${linked('light')}" width="${WIDTH}" alt="${escaped(alt)}">`,
    '</picture>',
  ].join('\n')
}

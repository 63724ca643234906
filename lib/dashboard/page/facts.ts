import type { PastFact } from '../protocol.js'
import { fit, make, say } from './make.js'
import { lasting, plain } from './words.js'

/** A name, and what is known of it. */
export type Fact = readonly [name: string, value: string]

export function showFacts(list: HTMLElement, facts: readonly Fact[]): void {
  fit(
    list,
    facts,
    () => make('div', '', make('dt'), make('dd')),
    (pair, [name, value]) => {
      say(pair.children[0] as Element, name)
      say(pair.children[1] as Element, value)
    },
  )
}

/** What has happened to a connection, in order. */
export function showHistory(list: HTMLElement, history: readonly PastFact[]): void {
  fit(
    list,
    history,
    () => make('li', '', make('span'), make('b')),
    (item, { at, fact }) => {
      say(item.children[0] as Element, `+${lasting(at)}`)
      say(item.children[1] as Element, plain(fact))
    },
  )
}

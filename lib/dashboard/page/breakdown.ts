import type { Counts, Hello, NodeNow, RouteNow, Update } from '../protocol.js'
import { $, fillTable } from './make.js'
import type { Part } from './part.js'
import { type Past, total } from './past.js'
import { numberOf, plain } from './words.js'

/** Why an upgrade is refused, in words. */
const REASONS: Readonly<Record<string, string>> = {
  draining: 'the server shuts down',
  route: 'no such route',
  origin: 'a page of an origin that is not allowed',
  limit: 'a limit is reached',
  key: 'its client has too many',
  handshake: 'not a valid handshake',
  hook: 'a hook of the app said no',
}

/** How many there are by route and by node, and who is refused. */
export class Breakdown implements Part {
  readonly #past: Past
  #routes: readonly RouteNow[] = []
  #nodes: readonly NodeNow[] = []
  #isChanged = true
  #drawn = -1

  constructor(past: Past) {
    this.#past = past
  }

  reset(_hello: Hello): void {
    this.#routes = this.#nodes = []
    this.#isChanged = true
  }

  take({ routes, nodes }: Update): void {
    this.#routes = routes ?? this.#routes
    this.#nodes = nodes ?? this.#nodes
    this.#isChanged ||= routes !== undefined || nodes !== undefined
  }

  draw(): void {
    if (this.#isChanged) {
      this.#isChanged = false
      const routes = this.#routes.toSorted((a, b) => b.open - a.open || b.opened - a.opened)
      fillTable($('routes-rows'), routes.map(rowOf))
      $('routes-none').hidden = routes.length > 0
      fillTable(
        $('nodes-rows'),
        this.#nodes.map(({ node, isHere, open }) => [
          isHere ? `${plain(node)} (here)` : plain(node),
          open === null ? 'no answer' : numberOf(open),
        ]),
      )
      $('nodes').hidden = this.#nodes.length === 0
    }
    if (this.#drawn === this.#past.version) return
    this.#drawn = this.#past.version
    const refused = [...this.#past.counts(({ refused }) => refused)].toSorted(
      ([, a], [, b]) => b - a,
    )
    fillTable(
      $('refusals-rows'),
      refused.map(([reason, count]) => [reason, REASONS[reason] ?? '', numberOf(count)]),
    )
    $('refusals-none').hidden = refused.length > 0
  }
}

function rowOf({ route, open, opened, ended, refused }: RouteNow): string[] {
  return [
    route,
    numberOf(open),
    numberOf(opened),
    numberOf(total(ended)),
    foremost(ended),
    numberOf(total(refused)),
    foremost(refused),
  ]
}

/** `client-close 90 %`. */
function foremost(counts: Counts): string {
  const [name, count] = Object.entries(counts).toSorted(([, a], [, b]) => b - a)[0] ?? []
  if (name === undefined || count === undefined) return ''
  return `${name} ${Math.round((100 * count) / total(counts))} %`
}

import { Socket } from 'node:net'
import type { ForeignUpgrade } from '../cluster/cluster.js'
import { LOG_LINES } from '../facts/log-lines.js'
import { logSafely } from '../facts/log.js'
import { bindCallback } from '../platform/context.js'
import { isResponding } from '../platform/node-internals.js'
import { Sweep } from '../time/sweep.js'
import { endpointOf } from './address.js'
import { FORWARDED, forwardedRequest } from './forwarded-request.js'
import type { Among } from './here.js'
import { Joint } from './joint.js'
import { ANSWER_LIMIT, OwnerRequest } from './owner-request.js'
import { connectTo, ignoreError } from './sockets.js'
import { orAfter } from './within.js'

/** What it carries. */
interface Carried {
  /** Ends it: this node shuts down. */
  cut(): void
}

/**
 * Gives upgrades to the nodes that have their sessions, and carries all bytes to and fro. Hooks, limits and logs
 * are those of the other node; here nobody reads what passes.
 */
export class Pipe {
  readonly #node: Among
  readonly #sweep: Sweep
  readonly #carried = new Set<Carried>()
  /** The nodes that did not answer the last time, so that an outage is one line in the log. */
  readonly #unreached = new Set<string>()
  #isCut = false

  constructor(node: Among) {
    this.#node = node
    this.#sweep = new Sweep(node.clock)
    this.#sweep.serve(ANSWER_LIMIT)
  }

  /** Number of upgrades, and of connections that became of them. */
  get size(): number {
    return this.#carried.size
  }

  /** See `ClusterNode.forward`. While the other node is asked, nothing else may read the stream, or write to it. */
  forward(upgrade: ForeignUpgrade, token: string, here: () => void): boolean {
    const { message, raw } = upgrade
    if (this.#isCut || message.headers[FORWARDED] !== undefined) return false
    // Others are streams in memory, of tests. And nothing may be written into the answer of an earlier request.
    if (!(raw instanceof Socket) || !raw.readable || isResponding(raw)) return false
    const [node = '', secret] = token.split('.', 2)
    const { others, isConnected } = this.#node
    if (others.has(node)) return this.#ask(upgrade, raw, node, here)
    if (!isConnected || secret === undefined || this.#node.isNamed(node)) return false
    this.#search(upgrade, raw, node, here)
    return true
  }

  /** The node may have come since the last renewal. Or it has gone. */
  #search(upgrade: ForeignUpgrade, raw: Socket, node: string, here: () => void): void {
    const over = bindCallback(() => {
      if (!this.#carried.delete(search)) return
      raw.off('error', ignoreError)
      // After a FIN too, see OwnerRequest.
      if (!raw.readable) raw.destroy()
      else if (this.#isCut || !this.#ask(upgrade, raw, node, here)) here()
    })
    const search: Carried = { cut: over }
    this.#carried.add(search)
    raw.on('error', ignoreError)
    void orAfter(this.#node.clock, ANSWER_LIMIT, this.#node.look()).then(over)
  }

  /** @returns `false` if it cannot be asked */
  #ask(upgrade: ForeignUpgrade, raw: Socket, node: string, here: () => void): boolean {
    const { head } = upgrade
    const { address } = this.#node.others.get(node) ?? {}
    const endpoint = address === undefined ? undefined : endpointOf(address)
    const request = endpoint && forwardedRequest(upgrade, raw)
    if (endpoint === undefined || request === undefined) return false

    const owner = connectTo(endpoint)
    // The sweep is in nobody's async context.
    const handleHere = bindCallback(here)
    const asked = new OwnerRequest(raw, owner, request, this.#sweep, {
      answered: (start) => {
        this.#carried.delete(asked)
        this.#unreached.delete(node)
        // Not before: a client that is served here must not be heard there too.
        if (head.length > 0) owner.write(head)
        raw.write(start)
        this.#join(raw, owner)
      },
      unreached: (error) => {
        this.#carried.delete(asked)
        if (!this.#isCut) this.#logUnreached(node, address, error)
        handleHere()
      },
      left: () => this.#carried.delete(asked),
    })
    this.#carried.add(asked)
    return true
  }

  /** This node shuts down: its clients are to go on through another one. */
  cut(): void {
    this.#isCut = true
    for (const each of this.#carried) each.cut()
  }

  #join(client: Socket, owner: Socket): void {
    const joint = new Joint(client, owner, this.#node.clock, () => this.#carried.delete(joint))
    this.#carried.add(joint)
  }

  #logUnreached(node: string, address: string | undefined, error: Error): void {
    if (this.#unreached.has(node)) return
    for (const each of this.#unreached)
      if (!this.#node.others.has(each)) this.#unreached.delete(each)
    this.#unreached.add(node)
    logSafely(this.#node.log, LOG_LINES.clusterOwnerSilent, { node, address, err: error })
  }
}

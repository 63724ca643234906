import type { IncomingMessage, Server } from 'node:http'
import { Duplex } from 'node:stream'

export type UpgradeListener = (message: IncomingMessage, raw: Duplex, head: Buffer) => void

/**
 * Who gets an upgrade: this plugin (`ours`), the other listeners (`theirs`), or nobody (`nobodys`): then it
 * is a plain request.
 */
export type Verdict = 'ours' | 'theirs' | 'nobodys'

/**
 * Decides about the upgrades of a server, and takes those that the other listeners do not get. It throws
 * nothing.
 */
export interface Claim {
  judge(message: IncomingMessage, isShared: boolean): Verdict
  readonly take: Readonly<Record<Exclude<Verdict, 'theirs'>, UpgradeListener>>
}

/** Whether somebody beside this plugin listens for the upgrades of a server. */
export function othersListen(server: Server): boolean {
  return server.listenerCount('upgrade') > 1
}

/**
 * Shares the `'upgrade'` event of a server with other listeners.
 *
 * An event has no owner, and most listeners believe that each upgrade is theirs: a ws server answers 400 to
 * paths that it does not know. So our upgrades must not reach them, and we must not touch theirs. A listener
 * cannot keep an event from the next listener, so we replace `emit`.
 * @returns a function that stops this
 */
export function claimUpgrades(server: Server, claim: Claim): () => void {
  /** The upgrade that the other listeners are being given now. */
  let left: IncomingMessage | undefined
  let isOver = false

  const isTaken = (upgrade: Parameters<UpgradeListener>): boolean => {
    const isShared = othersListen(server)
    const verdict = claim.judge(upgrade[0], isShared)
    if (verdict !== 'theirs') claim.take[verdict](...upgrade)
    if (verdict === 'ours' && isShared) tellOnlookers(server, listener, upgrade)
    return verdict !== 'theirs'
  }
  // Without a listener node emits no such event. And somebody may have kept the `emit` from before.
  const listener: UpgradeListener = (...upgrade) => {
    if (upgrade[0] !== left) isTaken(upgrade)
  }
  server.prependListener('upgrade', listener)

  const emit: unknown = Reflect.get(server, 'emit')
  const isOwn = Object.hasOwn(server, 'emit')
  const tell = (event: unknown[]): boolean =>
    Reflect.apply(emit as Server['emit'], server, event) as boolean
  const emitUnlessOurs = (...event: unknown[]): boolean => {
    if (event[0] !== 'upgrade' || isOver) return tell(event)
    const upgrade = event.slice(1) as Parameters<UpgradeListener>
    if (isTaken(upgrade)) return true
    left = upgrade[0]
    try {
      return tell(event)
    } finally {
      left = undefined
    }
  }
  server.emit = emitUnlessOurs

  return () => {
    isOver = true
    server.removeListener('upgrade', listener)
    // Somebody may have wrapped our `emit` in another one.
    if (server.emit !== emitUnlessOurs) return
    if (isOwn) server.emit = emit as Server['emit']
    else Reflect.deleteProperty(server, 'emit')
  }
}

/**
 * Tells listeners that only count or log upgrades of ours too. Nobody can shake hands without the head, which
 * is the third argument. So a listener that takes fewer arguments only looks on. It gets a stand-in for the
 * stream, so that it cannot change the real one.
 */
function tellOnlookers(
  server: Server,
  ours: UpgradeListener,
  [message, , head]: Parameters<UpgradeListener>,
): void {
  const others = server.rawListeners('upgrade').filter((one) => one !== ours)
  const onlookers = others.filter((one) => taken(one) < 3)
  if (onlookers.length === 0) return
  const standIn = new Duplex({ read: () => {}, write: (_chunk, _encoding, done) => done() })
  try {
    for (const onlooker of onlookers) Reflect.apply(onlooker, server, [message, standIn, head])
  } finally {
    standIn.destroy()
  }
}

/** How many arguments a listener takes. A listener added with `once` is wrapped by node. */
function taken(listener: { readonly length: number; readonly listener?: unknown }): number {
  const { listener: wrapped } = listener
  return typeof wrapped === 'function' ? wrapped.length : listener.length
}

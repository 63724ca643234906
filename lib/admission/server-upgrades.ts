import type { IncomingMessage, Server } from 'node:http'
import { Duplex } from 'node:stream'

export type UpgradeListener = (message: IncomingMessage, raw: Duplex, head: Buffer) => void

/** Whose an upgrade is: `theirs` who listen beside us, or `nobodys`: then it is a plain request. */
export type Verdict = 'ours' | 'theirs' | 'nobodys'

/** Who decides about the upgrades of a server, and takes what the others do not get. It throws nothing. */
export interface Claim {
  judge(message: IncomingMessage, othersListen: boolean): Verdict
  readonly take: Readonly<Record<Exclude<Verdict, 'theirs'>, UpgradeListener>>
}

/**
 * Shares the `'upgrade'` event of a server with others. An event has no owner, and most who listen believe that
 * each upgrade is theirs (a ws server answers 400 to paths that it does not know): so what is ours must not
 * reach them, and we must not touch what is theirs. A listener cannot keep an event from the next one, hence `emit`.
 * @returns how to stop
 */
export function claimUpgrades(server: Server, claim: Claim): () => void {
  /** What others are being told of. */
  let left: IncomingMessage | undefined
  let isOver = false

  const isTaken = (upgrade: Parameters<UpgradeListener>): boolean => {
    const othersListen = server.listenerCount('upgrade') > 1
    const verdict = claim.judge(upgrade[0], othersListen)
    if (verdict !== 'theirs') claim.take[verdict](...upgrade)
    if (verdict === 'ours' && othersListen) tellOnlookers(server, listener, upgrade)
    return verdict !== 'theirs'
  }
  // Without one, node emits no such event; and somebody may have kept an `emit` from before.
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
    // Somebody may have put another one around it.
    if (server.emit !== emitUnlessOurs) return
    if (isOwn) server.emit = emit as Server['emit']
    else Reflect.deleteProperty(server, 'emit')
  }
}

/**
 * Who counts or logs upgrades hears of ours too. Nobody can shake hands without the head, the third argument:
 * whoever takes less looks on. What it does to the stream, it does to one that stands in.
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

/** How many arguments a listener takes; node wraps one that is called once. */
function taken(listener: { readonly length: number; readonly listener?: unknown }): number {
  const { listener: wrapped } = listener
  return typeof wrapped === 'function' ? wrapped.length : listener.length
}

// What may happen to the sessions of a server.
import * as fc from 'fast-check'
import type { Behaviour } from '../servers/watched-sessions.js'
import { commandMaker } from './command.js'

export interface AtOne {
  /** One of those that are meant. */
  readonly which: number
}

export type Command =
  | {
      readonly does: 'connect'
      readonly key: string
      readonly isConfirmed: boolean
      readonly isSlow: boolean
    }
  | (AtOne & {
      readonly does: 'come back'
      /** With an attempt that is the next, or two of them at once, or with an old one, or with another key. */
      readonly how: 'next' | 'twice' | 'old' | 'stranger'
      readonly isSlow: boolean
    })
  /** Who stands in a hook goes on, or goes. */
  | (AtOne & { readonly does: 'pass' })
  | (AtOne & { readonly does: 'give up' })
  | (AtOne & { readonly does: 'client sends'; readonly count: number })
  | (AtOne & { readonly does: 'server sends'; readonly count: number; readonly bytes: number })
  | (AtOne & { readonly does: 'acknowledge'; readonly left: number })
  /** `isBusy`: both sides send, and not all of it gets through. */
  | (AtOne & {
      readonly does: 'cut'
      readonly how: 'RST' | 'FIN' | '4990' | 'deaf'
      readonly isBusy: boolean
    })
  | (AtOne & { readonly does: 'leave' })
  | (AtOne & { readonly does: 'terminate' })
  | (AtOne & { readonly does: 'close'; readonly code: number })
  | (AtOne & { readonly does: 'expire'; readonly after: number })
  | { readonly does: 'advance'; readonly by: number }
  | { readonly does: 'drain' }

const which = fc.nat(20)
const key = fc.constantFrom('ann', 'bob')
const mostly = fc.nat(5).map((n) => n > 0)
const rarely = fc.nat(4).map((n) => n === 0)
export const behaviours: fc.Arbitrary<Behaviour> = fc.oneof(
  { weight: 8, arbitrary: fc.constant('nothing' as const) },
  { weight: 6, arbitrary: fc.constant('turn' as const) },
  { weight: 4, arbitrary: fc.constant('hang' as const) },
  { weight: 1, arbitrary: fc.constantFrom('throw' as const, 'reject' as const) },
)
const count = fc.integer({ min: 1, max: 3 })

const command = commandMaker<Command>()

export const commands: fc.Arbitrary<Command> = fc.oneof(
  command(18, 'connect', { key, isConfirmed: mostly, isSlow: rarely }),
  command(36, 'come back', {
    which,
    how: fc.constantFrom('next', 'next', 'next', 'next', 'twice', 'old', 'stranger'),
    isSlow: rarely,
  }),
  command(30, 'pass', { which }),
  command(3, 'give up', { which }),
  command(18, 'client sends', { which, count }),
  command(18, 'server sends', { which, count, bytes: fc.constantFrom(10, 10, 1_000, 4_000) }),
  command(15, 'acknowledge', { which, left: fc.nat(2) }),
  command(42, 'cut', {
    which,
    how: fc.constantFrom('RST', 'FIN', '4990', 'deaf'),
    isBusy: fc.boolean(),
  }),
  command(3, 'leave', { which }),
  command(6, 'close', { which, code: fc.constantFrom(4000, 4000, 1013) }),
  command(3, 'terminate', { which }),
  command(6, 'expire', { which, after: fc.constantFrom(0, 1_500, 4_000) }),
  command(18, 'advance', { by: fc.constantFrom(1_000, 1_000, 3_000, 3_000, 8_000, 36_000) }),
  command(1, 'drain', {}),
)

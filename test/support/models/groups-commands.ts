// What may happen to groups and their members.
import * as fc from 'fast-check'
import { commandMaker } from './command.js'

export const GROUPS = ['a', 'b'] as const
type GroupName = (typeof GROUPS)[number]

/** Three members of each kind: more than a slice serves. */
export const KINDS = [
  'plain',
  'link',
  'packed alone',
  'packed together',
  'session',
  'no link',
] as const
export type Kind = (typeof KINDS)[number]
export const MEMBERS = 3 * KINDS.length

/** A short message, one that is compressed, and one that the thread pool compresses. */
const SIZES = [10, 200, 40_000] as const

interface AtOne {
  readonly member: number
}

interface AtAll {
  readonly group: GroupName
}

/** What happens to one member. */
export type CommandToOne =
  | (AtOne & { readonly does: 'tell one'; readonly size: number })
  | (AtAll & AtOne & { readonly does: 'join' | 'leave' })
  /** `cut`: a session's line; it comes back in the end. `vanish`: somebody else goes for ever. */
  | (AtOne & { readonly does: 'cut' | 'vanish' | 'close' | 'terminate' })

export type Command =
  | CommandToOne
  | (AtAll & { readonly does: 'tell all'; readonly size: number })
  | (AtAll & AtOne & { readonly does: 'tell others'; readonly size: number })
  | (AtAll & { readonly does: 'close all' })
  | { readonly does: 'turn'; readonly count: number }

const command = commandMaker<Command>()
const member = fc.nat(MEMBERS - 1)
const group = fc.constantFrom(...GROUPS)
const size = fc.constantFrom(...SIZES)

export const commands: fc.Arbitrary<Command> = fc.oneof(
  command(16, 'tell all', { group, size }),
  command(4, 'tell others', { group, member, size }),
  command(16, 'tell one', { member, size }),
  command(6, 'join', { member, group }),
  command(4, 'leave', { member, group }),
  command(4, 'cut', { member }),
  command(2, 'vanish', { member }),
  command(2, 'close', { member }),
  command(1, 'terminate', { member }),
  command(2, 'close all', { group }),
  command(8, 'turn', { count: fc.nat(3) }),
)

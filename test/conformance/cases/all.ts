import type { Case } from './case.js'
import { ENDS } from './ends.js'
import { FRAGMENTS } from './fragments.js'
import { MESSAGES_AND_PINGS } from './messages-and-pings.js'
import { RESERVED } from './reserved.js'
import { SEQUENCES } from './sequences.js'
import { UTF8 } from './utf8.js'

/** Groups 1 to 7. */
export const PROTOCOL: readonly Case[] = [
  ...MESSAGES_AND_PINGS,
  ...RESERVED,
  ...FRAGMENTS,
  ...UTF8,
  ...SEQUENCES,
  ...ENDS,
]

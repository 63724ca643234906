// Tokens, good and bad, for the examples that ask for one.
import { createHmac } from 'node:crypto'

export const JWT_SECRET: string = 'known to the server and to this test'

/** A JSON Web Token (RFC 7519), true or forged. */
export function sign(claims: object, secret = JWT_SECRET, alg = 'HS256'): string {
  const signed = `${encode({ alg, typ: 'JWT' })}.${encode(claims)}`
  const signature = createHmac('sha256', secret).update(signed).digest('base64url')
  return `${signed}.${alg === 'none' ? '' : signature}`
}

function encode(part: object): string {
  return Buffer.from(JSON.stringify(part)).toString('base64url')
}

/** How long a token is good that is waited for, in s: a busy machine has to connect before. */
export const SHORT = 3

/** The time in so many seconds, as tokens count it: fractions are allowed. */
export function inSeconds(seconds: number): number {
  return Date.now() / 1_000 + seconds
}

const later = inSeconds(3_600)
export const ada: string = sign({ sub: 'ada', exp: later })
export const bob: string = sign({ sub: 'bob', exp: later })

/** What each is, and the token. */
export const bad: ReadonlyArray<readonly [what: string, token: string]> = [
  ['nothing', ''],
  ['no token', 'ada'],
  ['a token that has expired', sign({ sub: 'ada', exp: inSeconds(-2) })],
  ['one that never ends', sign({ sub: 'ada' })],
  ["nobody's token", sign({ exp: later })],
  ['one that does not hold yet', sign({ sub: 'ada', exp: later, nbf: later - 1 })],
  ['one that somebody else has signed', sign({ sub: 'ada', exp: later }, 'a guess')],
  ['one that nobody has signed', sign({ sub: 'ada', exp: later }, '', 'none')],
]

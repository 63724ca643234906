import * as fc from 'fast-check'
import { type Mutation, mutated, mutations } from './wire-frames.js'

/** A line of a handshake: a header, or anything else. */
type Line = string

const NAMES = [
  'host',
  'connection',
  'upgrade',
  'sec-websocket-version',
  'sec-websocket-key',
  'sec-websocket-protocol',
  'sec-websocket-extensions',
  'content-length',
  'transfer-encoding',
  'expect',
  'x-other',
] as const

const TOKEN = 'AAAAAAAAAAAAAAAAAAAAAA'
/** What stands in headers, right and wrong. */
const VALUES = [
  '',
  ' ',
  ',',
  ', ,',
  'Upgrade',
  'keep-alive, Upgrade',
  'websocket',
  'WebSocket, h2c',
  'h2c',
  '13',
  '8',
  '13, 8',
  '-1',
  'dGhlIHNhbXBsZSBub25jZQ==',
  'dGhlIHNhbXBsZQ==',
  '====',
  'chat',
  'chat, chat',
  'chat,,talk',
  'ch at',
  '"chat"',
  'permessage-deflate',
  'permessage-deflate; client_max_window_bits',
  'permessage-deflate; client_max_window_bits=7',
  'permessage-deflate; server_max_window_bits=8; server_max_window_bits=9',
  'permessage-deflate; unknown=1',
  'permessage-deflate; =',
  'permessage-deflate; client_max_window_bits="',
  ';',
  'x-other; a="b\\"c", permessage-deflate',
  'wsl.1',
  'wsl.1, wsl.1',
  'wsl.',
  'wsl.1.',
  'wsl.1.chat, chat',
  `wsl.1, wsl.r.1.0.${TOKEN}`,
  `wsl.1, wsl.r.1.0.${TOKEN}, wsl.r.2.0.${TOKEN}`,
  `wsl.r.1.0.${TOKEN}`,
  `wsl.1, wsl.r.9999999999999999.0.${TOKEN}`,
  'wsl.1, wsl.r.-1.0.x',
  'wsl.1, wsl.r...',
  `wsl.1, ${'wsl.r.1.0.x,'.repeat(300)}`,
  '0',
  '5',
  'chunked',
  '100-continue',
  '127.0.0.1',
  'a b:c',
  '\u00ff\u0080',
  'x'.repeat(5_000),
  'x'.repeat(20_000),
] as const

const base = (path: string): Line[] => [
  `GET ${path} HTTP/1.1`,
  'host: 127.0.0.1',
  'connection: Upgrade',
  'upgrade: websocket',
  'sec-websocket-version: 13',
  'sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==',
]

const header = fc.oneof(
  fc.tuple(fc.constantFrom(...NAMES), fc.constantFrom(...VALUES)).map((pair) => pair.join(': ')),
  fc.tuple(fc.constantFrom(...NAMES), fc.string({ maxLength: 30 })).map((pair) => pair.join(': ')),
  fc.constantFrom('', ' folded', ': nameless', 'no colon', 'x y: z', 'x\0: y'),
)

const first = fc
  .tuple(
    fc.constantFrom('GET', 'GET', 'GET', 'POST', 'HEAD', 'OPTIONS', 'CONNECT', 'get', 'G T', ''),
    fc.constantFrom('/', '/none', '*', 'http://elsewhere/', '//', '/%', '/?a=%00', '', 'é'),
    fc.constantFrom('HTTP/1.1', 'HTTP/1.1', 'HTTP/1.0', 'HTTP/2.0', 'HTTP/0.9', 'HTTP/1.1x', ''),
  )
  .map((parts) => parts.join(' '))

/** What happens to a line. The place is a part of their number. */
interface Edit {
  readonly at: number
  readonly does: 'goes' | 'comes twice' | 'becomes' | 'comes after' | 'is the first'
  readonly line: Line
}

const at = fc.double({ min: 0, max: 1, noNaN: true })
const edit: fc.Arbitrary<Edit> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      at,
      does: fc.constantFrom<Array<Edit['does']>>('goes', 'comes twice', 'becomes', 'comes after'),
      line: header,
    }),
  },
  fc.record({ at, does: fc.constant('is the first' as const), line: first }),
)

function edited(lines: readonly Line[], edits: readonly Edit[]): Line[] {
  const result = [...lines]
  for (const { at: place, does, line } of edits) {
    const index = Math.floor(place * result.length)
    if (does === 'goes') result.splice(index, 1)
    else if (does === 'comes twice') result.splice(index, 0, result[index] ?? '')
    else if (does === 'becomes') result[index] = line
    else if (does === 'comes after') result.splice(index + 1, 0, line)
    else result[0] = line
  }
  return result
}

/** What comes in the same packet, behind the handshake. */
const behind = fc.oneof(
  { weight: 3, arbitrary: fc.constant(Buffer.alloc(0)) },
  fc.constantFrom(
    Buffer.from([0x81, 0x81, 0, 0, 0, 0, 0x78]),
    Buffer.from([0x88, 0x80, 0, 0, 0, 0]),
    Buffer.from([0x81]),
    Buffer.from([0xff, 0xff]),
    Buffer.from(`${base('/plain').join('\r\n')}\r\n\r\n`),
    Buffer.alloc(70_000, 'GET / HTTP/1.1\r\n\r\n'),
  ),
  fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
)

/** A handshake with faults. */
export interface Handshake {
  readonly path: string
  readonly bytes: Buffer
}

export function handshakes(paths: readonly string[]): fc.Arbitrary<Handshake> {
  return fc
    .record({
      path: fc.constantFrom(...paths),
      edits: fc.array(edit, { maxLength: 4 }),
      changes: fc.oneof({ weight: 2, arbitrary: fc.constant<Mutation[]>([]) }, mutations),
      tail: behind,
    })
    .map(({ path, edits, changes, tail }) => {
      const head = Buffer.from(`${edited(base(path), edits).join('\r\n')}\r\n\r\n`, 'latin1')
      return { path, bytes: Buffer.concat([mutated(head, changes), tail]) }
    })
}

/** A right one. */
export function handshake(path: string, ...more: Line[]): Buffer {
  return Buffer.from(`${[...base(path), ...more].join('\r\n')}\r\n\r\n`)
}

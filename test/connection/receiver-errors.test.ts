// Frames that fail while ws still inflates the message before them: one connection ends, and never the process.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import type { CloseCause, LifecycleSocket } from '../../lib/index.js'
import { type Line, rawOf, TCP, TLS } from '../support/servers/outbox.js'
import { DEFLATE, OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import { serveOne } from '../support/servers/server.js'
import { threadPool } from '../support/time/thread-pool.js'

const { bytes, closeFrame, deflated, frame } = RawPeer
const INVALID_UTF8 = Buffer.from([0xff, 0xfe])

interface Script {
  readonly of: string
  readonly bytes: Buffer
  readonly cause: CloseCause
}

function wrong(of: string, wrongBytes: Buffer, cause: CloseCause = 'protocol-error'): Script {
  return { of, bytes: wrongBytes, cause }
}

/** What a peer can do wrong in a frame, and what it can do right. */
const SCRIPTS: readonly Script[] = [
  wrong('text that is no UTF-8', frame(OPCODE.text, INVALID_UTF8)),
  wrong('compressed text that is no UTF-8', deflated(INVALID_UTF8)),
  wrong('what cannot be inflated', bytes(0xc1, Buffer.alloc(20, 0xff))),
  wrong('a message above maxPayload', frame(OPCODE.binary, Buffer.alloc(3_000)), 'message-too-big'),
  wrong('what inflates above maxPayload', deflated('x'.repeat(3_000)), 'message-too-big'),
  wrong('a close reason that is no UTF-8', frame(OPCODE.close, Buffer.from([3, 232, 0xff, 0xfe]))),
  wrong('a close code that nobody may send', closeFrame(1006)),
  wrong('half a close code', frame(OPCODE.close, 'x')),
  wrong('a frame without a mask', bytes(0x81, 'x', false)),
  wrong('an opcode that is none', bytes(0x83, 'x')),
  wrong('reserved bits', bytes(0xb1, 'x')),
  wrong('a compressed control frame', bytes(0xc9, 'x')),
  wrong('a control frame in pieces', bytes(0x09, 'x')),
  wrong('a control frame that is too long', frame(OPCODE.ping, Buffer.alloc(126))),
  wrong('a continuation of nothing', frame(OPCODE.continuation, 'x')),
  wrong('a message within another', Buffer.concat([frame(1, 'x', false), frame(1, 'y')])),
  wrong('a compressed continuation', Buffer.concat([frame(1, 'x', false), bytes(0xc0, 'y')])),
  wrong('a close frame', closeFrame(1000), 'client-close'),
]

const FIRST: Readonly<Record<string, Buffer>> = {
  'a compressed message': deflated('x'.repeat(1_000)),
  'a plain message': frame(OPCODE.text, 'x'),
}

/** Sends parts, each when the one before has been read. */
async function tell(
  peer: RawPeer,
  socket: LifecycleSocket,
  parts: readonly Buffer[],
): Promise<void> {
  const raw = rawOf(socket)
  for (const part of parts) {
    const before = raw.bytesRead
    if (part.length > 0) peer.send(part)
    while (part.length > 0 && raw.bytesRead === before && !raw.destroyed) await turn()
  }
}

const AT_ONCE = 150
/** More follows: with some errors ws would read a mask that is not there. */
const MORE = frame(OPCODE.text, 'what comes after it')

const ROUNDS: ReadonlyArray<{ readonly line: Line; readonly connections: number }> = [
  { line: TCP, connections: 4_500 },
  { line: TLS, connections: 600 },
]

for (const { line, connections } of ROUNDS) {
  test(`over ${line.over} ${connections} connections fail in every way, and each ends alone`, async (t) => {
    const { app, port, nextSocket } = await serveOne(t, {
      ...line.server,
      options: {
        websocket: { perMessageDeflate: { threshold: 0 }, maxPayload: 2_000 },
        keepalive: false,
      },
      handler: (socket) => void socket.on('message', () => {}),
    })
    const pool = threadPool(t)
    const firsts = Object.entries(FIRST)
    let count = 0
    while (count < connections) {
      const told: Array<Promise<void>> = []
      const ended: Array<() => Promise<void>> = []
      pool.hold()
      for (let i = 0; i < AT_ONCE && count < connections; i++, count++) {
        const script = SCRIPTS[count % SCRIPTS.length] as Script
        const [first, message] = firsts[Math.floor(count / SCRIPTS.length) % firsts.length] as [
          string,
          Buffer,
        ]
        const split =
          Math.floor(count / SCRIPTS.length / firsts.length) % (script.bytes.length + MORE.length)
        const peer = await line.dial(port, DEFLATE)
        const socket = await nextSocket()
        const rest = Buffer.concat([script.bytes, MORE])
        const parts = [message, rest.subarray(0, split), rest.subarray(split)]
        told.push(tell(peer, socket, parts))
        ended.push(async () => {
          await peer.nextOf(OPCODE.close)
          peer.destroy()
          const { cause } = await socket.closed
          assert.equal(cause, script.cause, `${script.of} after ${first}, split at ${split}`)
        })
      }
      await Promise.all(told)
      await pool.release()
      await Promise.all(ended.map((end) => end()))
    }
    const { opened, open, closed } = app.websocketLifecycle.stats()
    assert.equal(opened, connections)
    assert.equal(open, 0)
    assert.equal(
      Object.values(closed).reduce((sum, each) => sum + each, 0),
      connections,
    )
  })
}

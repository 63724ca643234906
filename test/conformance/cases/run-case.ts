import assert from 'node:assert/strict'
import { CloseCode } from '../../../lib/core/close/codes.js'
import type { CloseInfo } from '../../../lib/index.js'
import { type ServerFrame, WirePeer } from '../../support/peers/wire-peer.js'
import { type EchoRoute, EchoServer } from '../../support/servers/echo-routes.js'
import { delivered } from '../../support/time/delivered.js'
import { type Answer, type Case, closeFrame, OPCODE } from './case.js'

const KINDS = new Map<number, Answer['kind']>([
  [OPCODE.text, 'text'],
  [OPCODE.binary, 'binary'],
  [OPCODE.pong, 'pong'],
])

/** Says in an error which case has failed. */
export async function naming(
  { number, what }: Pick<Case, 'number' | 'what'>,
  run: () => Promise<void>,
): Promise<void> {
  try {
    await run()
  } catch (error) {
    throw new Error(`case ${number}: ${what}`, { cause: error })
  }
}

/** Plays a case on a route, and checks what came back, what the app got, and how the end was told. */
export async function runCase(server: EchoServer, route: EchoRoute, it: Case): Promise<void> {
  const path = EchoServer.path(route, it.number)
  const peer = await WirePeer.open(server.port, path)
  // The handler has begun: what it does at first is no part of the case.
  await delivered()
  await send(peer, it)
  if (it.end.how === 'closed after the answers') {
    await peer.came(it.answers.length)
    await peer.write(closeFrame(1000))
  }
  await peer.closeCame()
  // Who has failed waits for the other's close frame, or for its FIN.
  peer.socket.end()
  await peer.ended()
  const seen = server.of(path)
  const close = await seen.end()
  checkFrames(peer.frames, it, route)
  checkMessages(seen.messages, it)
  checkEnd(close, it)
}

async function send(peer: WirePeer, { sends, chunk, apart = false }: Case): Promise<void> {
  let packet: Buffer[] = []
  const flush = async (): Promise<void> => {
    await peer.write(Buffer.concat(packet), chunk)
    packet = []
  }
  for (const step of sends) {
    if (Buffer.isBuffer(step)) packet.push(step)
    else {
      await flush()
      await peer.came(step.answers)
    }
    if (apart) {
      await flush()
      await delivered()
    }
  }
  await flush()
}

function checkFrames(frames: readonly ServerFrame[], it: Case, route: EchoRoute): void {
  const last = frames.at(-1)
  const answers = frames.slice(0, -1)
  const isLater = route === 'loop' && it.mayMiss === true
  if (!isLater || answers.length > 0) {
    assert.equal(answers.length, it.answers.length, 'number of answers')
  }
  for (const [index, { isLast, isCompressed, opcode, payload }] of answers.entries()) {
    const expected = it.answers[index] as Answer
    assert.deepEqual(
      [isLast, isCompressed, KINDS.get(opcode)],
      [true, false, expected.kind],
      `answer ${index + 1}`,
    )
    assert.ok(payload.equals(expected.payload), `payload of answer ${index + 1}`)
  }
  assert.equal(last?.opcode, OPCODE.close)
  const code = last?.payload.length === 0 ? undefined : last?.payload.readUInt16BE()
  assert.equal(code, it.end.how === 'closed after the answers' ? 1000 : it.end.code)
}

/** All that can be echoed has come to the app, whether or not the echo could leave. */
function checkMessages(messages: readonly (string | Buffer)[], { answers }: Case): void {
  const echoes = answers.filter(({ kind }) => kind !== 'pong')
  assert.equal(messages.length, echoes.length, 'number of messages')
  for (const [index, message] of messages.entries()) {
    const { kind, payload } = echoes[index] as Answer
    assert.equal(typeof message === 'string' ? 'text' : 'binary', kind)
    assert.ok(payload.equals(Buffer.from(message as string)), `message ${index + 1}`)
  }
}

function checkEnd(close: CloseInfo, { end }: Case): void {
  if (end.how === 'failed') {
    assert.equal(close.cause, 'protocol-error')
    assert.deepEqual([close.sent?.code, close.received, close.code], [end.code, undefined, 1006])
    return
  }
  const code =
    end.how === 'closed after the answers' ? 1000 : (end.code ?? CloseCode.NoStatusReceived)
  assert.equal(close.cause, 'client-close')
  assert.deepEqual([close.code, close.sent?.code, close.clean], [code, code, true])
}

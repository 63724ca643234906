// The examples about messages: work in order, one for many, and a stream.
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import type { GroupSendResult } from 'fastify-websocket-lifecycle'
import { WebSocket } from 'ws'
import { answered, reach } from '../support/peers/heard.js'
import { type Frame, OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import { logged, run, serve } from './run.js'

describe('examples/ordered-work.ts', () => {
  it('does what it is sent in that order, also what comes before the account is there', async (t) => {
    const { ws } = await run(t, 'ordered-work')
    const client = await reach(`${ws}/accounts/ada`)
    const amounts = Array.from({ length: 20 }, () => [-100, 100]).flat()
    for (const amount of amounts) client.send(JSON.stringify({ amount }))
    for (const amount of amounts) {
      assert.equal(await client.next(), `balance: ${amount < 0 ? 0 : 100}`)
    }
    client.send('{"amount":-101}')
    assert.equal(await client.next(), 'refused: not enough')
  })

  it('says what is wrong with a message, and goes on', async (t) => {
    const { ws } = await serve(t, 'ordered-work')
    const client = await reach(`${ws}/accounts/ada`)
    const wrong = [
      ['all of it', /in JSON/],
      ['{}', /must have required property 'amount'/],
      ['{"amount":1.5}', /amount must be integer/],
      [Buffer.from('{"amount":1}'), /binary/],
    ] as const
    for (const [message, expected] of wrong) {
      client.send(message)
      const answer = await client.next()
      assert.match(answer, /^refused: /)
      assert.match(answer, expected)
    }
    client.send('{"amount":-30}')
    assert.equal(await client.next(), 'balance: 70')
  })

  it('has done all that a client sent when it says that it has left', async (t) => {
    const { program, ws } = await serve(t, 'ordered-work')
    const client = await reach(`${ws}/accounts/ada`)
    for (let i = 0; i < 20; i++) client.send('{"amount":-1}')
    void client.close(1000)
    assert.equal((await logged(program, 'a client has left'))['balance'], 80)
  })

  it('has done it also for a client that vanished, whose signal aborted long before', async (t) => {
    const { program, ws } = await serve(t, 'ordered-work')
    const client = await reach(`${ws}/accounts/ada`)
    for (let i = 0; i < 20; i++) client.send('{"amount":-1}')
    await answered(client)
    client.drop()
    assert.equal((await logged(program, 'a client has left'))['balance'], 80)
  })
})

describe('examples/fan-out.ts', () => {
  it('ends a member that reads nothing with 1013, and the others miss nothing', async (t) => {
    const { program, http, ws } = await run(t, 'fan-out')
    const port = Number(new URL(http).port)
    const stuck = await RawPeer.open(port, '/chat')
    stuck.freeze()
    const well = await reach(`${ws}/chat`)
    let said = 0
    const say = async (): Promise<void> => {
      const text = numbered(++said)
      well.send(text)
      assert.equal(await well.next(), text)
    }
    // Until nothing more is queued for it: the kernel takes some megabytes first.
    let before = 0
    for (let waits = 0; before <= 900_000 || waits !== before;) {
      before = waits
      await say()
      waits = await mostWaiting(http)
      assert.ok(waits <= 1_048_576, `${waits} bytes wait`)
    }

    // It has all that was said until then, and knows that this is not all.
    stuck.socket.resume()
    const { numbers, end } = await readAll(stuck)
    assert.deepEqual(
      numbers,
      numbers.map((_, i) => i + 1),
    )
    assert.ok(numbers.length > 0 && numbers.length < said)
    assert.equal(end?.payload.readUInt16BE(), 1013)
    stuck.send(RawPeer.closeFrame(1013))
    assert.equal((await logged(program, 'lost one'))['cause'], 'slow-consumer')

    const again = await RawPeer.open(port, '/chat')
    await say()
    assert.equal(numberOf(await again.next()), said)
    assert.equal(await mostWaiting(http), 0)
  })

  it('leaves prices out for a watcher that reads nothing, and the others miss none', async (t) => {
    const { http, ws } = await run(t, 'fan-out')
    const stuck = await RawPeer.open(Number(new URL(http).port), '/ticker')
    stuck.freeze()
    const well = await reach(`${ws}/ticker`)
    const total = { posted: 0, dropped: 0 }
    const post = async (): Promise<void> => {
      const body = JSON.stringify(numbered(++total.posted))
      const headers = { 'content-type': 'application/json' }
      const response = await fetch(`${http}/prices`, { method: 'POST', headers, body })
      const { sent, dropped } = (await response.json()) as GroupSendResult
      assert.equal(sent + dropped, 2)
      total.dropped += dropped
      assert.equal(await well.next(), body)
    }
    while (total.dropped < 10) {
      await post()
      const waits = await mostWaiting(http)
      assert.ok(waits <= 65_536, `${waits} bytes wait`)
    }

    stuck.socket.resume()
    stuck.send(RawPeer.frame(OPCODE.ping))
    const { numbers, end } = await readAll(stuck)
    assert.equal(end?.opcode, OPCODE.pong)
    assert.equal(numbers.length, total.posted - total.dropped)
    assert.deepEqual(
      numbers,
      [...new Set(numbers)].toSorted((a, b) => a - b),
    )
    await post()
    assert.equal(numberOf(await stuck.next()), total.posted)
  })
})

/** A long message with a number. */
function numbered(number: number): string {
  return `${number} ${'x'.repeat(60_000)}`
}

function numberOf(frame: Frame | undefined): number {
  return Number(/\d+/.exec(frame?.payload.toString() ?? '')?.[0])
}

/** The numbers of all messages that have come, up to a frame that is none. */
async function readAll(peer: RawPeer): Promise<{ numbers: number[]; end: Frame | undefined }> {
  const numbers: number[] = []
  let end = await peer.next()
  for (; end?.opcode === OPCODE.text; end = await peer.next()) numbers.push(numberOf(end))
  return { numbers, end }
}

/** Bytes that wait for the connection for which most do. */
async function mostWaiting(http: string): Promise<number> {
  return Math.max(...((await (await fetch(`${http}/waiting`)).json()) as number[]))
}

describe('examples/stream-file.ts', () => {
  it('reads on in the file when the reader does, until it has all of it', async (t) => {
    const content = randomBytes(32 * 1024 * 1024)
    const { program, http, ws } = await run(t, 'stream-file', { FILE: await fileOf(t, content) })
    const client = new WebSocket(`${ws}/file`)
    const hash = createHash('sha256')
    client.on('message', (chunk: Buffer) => hash.update(chunk))
    const closed = once(client, 'close') as Promise<[number, Buffer]>
    await standsStill(client, http)
    client.resume()
    const [code, reason] = await closed
    assert.deepEqual([code, reason.toString()], [1000, 'that is all'])
    assert.equal(hash.digest('hex'), createHash('sha256').update(content).digest('hex'))
    const { cause, sent, fd } = await logged(program, 'the file is closed')
    assert.deepEqual([cause, sent, fd], ['server-close', content.length, -1])
  })

  it('closes the file when the reader leaves in the middle', async (t) => {
    const content = randomBytes(32 * 1024 * 1024)
    const { program, http, ws } = await run(t, 'stream-file', { FILE: await fileOf(t, content) })
    const client = new WebSocket(`${ws}/file`)
    await standsStill(client, http)
    client.terminate()
    const { cause, sent, fd } = await logged(program, 'the file is closed')
    assert.match(String(cause), /^connection-/)
    assert.ok(Number(sent) > 0 && Number(sent) < content.length)
    assert.equal(fd, -1)
  })
})

async function fileOf(t: TestContext, content: Buffer): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'stream-file-'))
  t.after(() => rm(directory, { recursive: true }))
  const path = join(directory, 'file')
  await writeFile(path, content)
  return path
}

/** Resolves when a client that does not read has brought its stream to a stop. */
async function standsStill(client: WebSocket, http: string): Promise<void> {
  await once(client, 'open')
  client.pause()
  let before: number | undefined
  for (let times = 0; times < 20; times++) {
    const [waits = 0] = (await (await fetch(`${http}/waiting`)).json()) as number[]
    // Above the mark by less than the chunk that went over it, with its header.
    assert.ok(waits <= 2 * 65_536 + 10, `${waits} bytes wait`)
    if (waits <= 65_536 || waits !== before) times = 0
    before = waits
  }
}

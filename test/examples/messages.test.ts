// The examples about messages: work in order, one for many, and a stream.
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { WebSocket } from 'ws'
import { Client } from '../support/peers/client.js'
import { logged, run, serve } from './run.js'

describe('examples/ordered-work.ts', () => {
  it('does what it is sent in that order, also what comes before the account is there', async (t) => {
    const { ws } = await run(t, 'ordered-work')
    const client = await Client.open(`${ws}/accounts/ada`)
    const amounts = Array.from({ length: 20 }, () => [-100, 100]).flat()
    for (const amount of amounts) client.ws.send(JSON.stringify({ amount }))
    for (const amount of amounts) {
      assert.equal(await client.next(), `balance: ${amount < 0 ? 0 : 100}`)
    }
    client.ws.send('{"amount":-101}')
    assert.equal(await client.next(), 'refused: not enough')
  })

  it('says what is wrong with a message, and goes on', async (t) => {
    const { ws } = await serve(t, 'ordered-work')
    const client = await Client.open(`${ws}/accounts/ada`)
    const wrong = [
      ['all of it', /in JSON/],
      ['{}', /must have required property 'amount'/],
      ['{"amount":1.5}', /amount must be integer/],
      [Buffer.from('{"amount":1}'), /binary/],
    ] as const
    for (const [message, expected] of wrong) {
      client.ws.send(message)
      const answer = await client.next()
      assert.match(answer, /^refused: /)
      assert.match(answer, expected)
    }
    client.ws.send('{"amount":-30}')
    assert.equal(await client.next(), 'balance: 70')
  })

  it('has done all that a client sent when it says that it has left', async (t) => {
    const { program, ws } = await serve(t, 'ordered-work')
    const client = await Client.open(`${ws}/accounts/ada`)
    for (let i = 0; i < 20; i++) client.ws.send('{"amount":-1}')
    client.ws.close(1000)
    assert.equal((await logged(program, 'a client has left'))['balance'], 80)
  })

  it('has done it also for a client that vanished, whose signal aborted long before', async (t) => {
    const { program, ws } = await serve(t, 'ordered-work')
    const client = await Client.open(`${ws}/accounts/ada`)
    for (let i = 0; i < 20; i++) client.ws.send('{"amount":-1}')
    await client.roundTrip()
    client.ws.terminate()
    assert.equal((await logged(program, 'a client has left'))['balance'], 80)
  })
})

describe('examples/fan-out.ts', () => {
  it('cuts off a member that does not read, and the others chat on', async (t) => {
    const { program, http, ws } = await run(t, 'fan-out')
    const stuck = await Client.open(`${ws}/chat`)
    stuck.ws.pause()
    const well = await Client.open(`${ws}/chat`)
    const chatter = 'x'.repeat(60_000)
    const say = async (): Promise<void> => {
      well.ws.send(chatter)
      assert.equal(await well.next(), chatter)
    }
    // Until nothing more is queued for it: the kernel takes some megabytes first.
    let before = 0
    for (let waits = 0; before === 0 || waits !== before;) {
      before = waits
      await say()
      waits = (await waiting(http)).most
      assert.ok(waits <= 1_048_576, `${waits} bytes wait`)
    }
    assert.ok(before > 900_000, `${before} bytes`)
    assert.equal((await logged(program, 'lost one'))['cause'], 'slow-consumer')
    await say()
    assert.deepEqual(await waiting(http), { most: 0, dropped: 0 })
  })

  it('has no further prices for a watcher that does not read, until it reads on', async (t) => {
    const { http, ws } = await run(t, 'fan-out')
    const stuck = await Client.open(`${ws}/ticker`)
    stuck.ws.pause()
    const well = await Client.open(`${ws}/ticker`)
    let last = 0
    const post = async (): Promise<string> => {
      const price = JSON.stringify({ number: ++last, padding: 'x'.repeat(60_000) })
      const headers = { 'content-type': 'application/json' }
      await fetch(`${http}/prices`, { method: 'POST', headers, body: price })
      assert.equal(await well.next(), price)
      return price
    }
    for (let dropped = 0; dropped < 10;) {
      await post()
      const { most } = ({ dropped } = await waiting(http))
      assert.ok(most <= 65_536, `${most} bytes wait`)
    }
    stuck.ws.resume()
    await stuck.roundTrip()
    const newest = await post()
    while ((await stuck.next()) !== newest);
    assert.equal(stuck.events.length, last - (await waiting(http)).dropped)
  })
})

interface Waiting {
  /** Bytes that wait for the one for whom most do. */
  readonly most: number
  readonly dropped: number
}

async function waiting(http: string): Promise<Waiting> {
  const response = await fetch(`${http}/waiting`)
  const { bytes, dropped } = (await response.json()) as { bytes: number[]; dropped: number }
  return { most: Math.max(...bytes), dropped }
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

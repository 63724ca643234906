// Sessions of the real server and the real client, over lines that break. `SEED=1` runs it with other plans.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { randomFrom } from '../support/models/random.js'
import { ChaosClient, PlainClient } from '../support/peers/chaos-client.js'
import { ChaosProxy, FAULTS, plansOf } from '../support/peers/chaos-proxy.js'
import { type ChaosServer, serveChaos } from '../support/servers/chaos-server.js'
import { until } from '../support/time/timed.js'

/** Time runs so much faster than the sun. */
const SPEED = 25
/** A failure tells it. What happens when is not the same again, but each line breaks at the same byte. */
const SEED = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31))

interface Chaos {
  readonly server: ChaosServer
  readonly proxy: ChaosProxy
  readonly clients: readonly ChaosClient[]
  /** Nothing breaks any more, and nobody sends more. */
  readonly calm: () => void
}

async function chaos(t: TestContext, count: number, isTight = false): Promise<Chaos> {
  t.diagnostic(`SEED=${SEED}`)
  let isCalm = false
  const goesOn = (): boolean => !isCalm
  const server = await serveChaos(t, { speed: SPEED, goesOn, isTight })
  const proxy = await ChaosProxy.to(t, server.port, plansOf(SEED))
  const random = randomFrom(SEED + 1)
  const clients = Array.from({ length: count }, (_, index) => {
    return new ChaosClient(proxy.port, `client${index}`, SPEED, random)
  })
  for (const client of clients) {
    t.after(() => client.client.close())
    void client.send(goesOn)
  }
  const calm = (): void => {
    isCalm = true
    proxy.calm()
  }
  return { server, proxy, clients, calm }
}

/** Whether the newest session of a client and the client have got all from each other. */
function isEven(server: ChaosServer, { name, sent, received }: ChaosClient | PlainClient): boolean {
  const log = server.of(name)
  return log !== undefined && log.handled === sent && log.sent === received
}

/** After the chaos all arrives, and the clients go. */
async function endAll({ server, clients }: Chaos): Promise<void> {
  await until(() => clients.every((one) => one.client.state === 'open' && isEven(server, one)))
  for (const { client, closes, faults, name } of clients) {
    assert.deepEqual([faults, closes], [[], []], name)
    await until(() => client.state === 'open' && client.bufferedAmount === 0)
    client.close()
    assert.deepEqual([faults, closes], [[], [1000]], name)
  }
}

/** What the server has seen of its sessions, once all are over. */
async function assertEnds({ server, clients }: Chaos): Promise<void> {
  const { websocketLifecycle } = server.app
  // Time runs so fast that a side may believe a line dead that is only slow. The client's close frame is lost
  // with it, and the session would wait for the rest of the window. That is rare.
  let forgotten = 0
  await until(() => {
    for (const session of websocketLifecycle.sessions) {
      if (!session.suspended) continue
      forgotten++
      session.terminate()
    }
    return websocketLifecycle.sessions.size === 0
  })
  assert.ok(forgotten * 4 <= clients.length, `${forgotten} sessions did not end with their clients`)
  for (const { closes, faults, gaps, handled, name } of server.logs) {
    assert.deepEqual([faults, closes.length], [[], 1], name)
    // The server has not heard that the client has the token: nobody could come back.
    const isOrphan = closes[0]?.initiator === 'network'
    if (isOrphan) assert.deepEqual([gaps, handled], [[], 0], name)
  }
  const last = clients.map((client) => {
    const logs = server.logs.filter(({ name }) => name === client.name)
    const [log, ...others] = logs.filter(({ closes }) => closes[0]?.initiator !== 'network')
    const close = log?.closes[0]
    assert.ok(log && close)
    assert.deepEqual([close.messagesReceived, others], [client.sent, []], log.name)
    assert.deepEqual([close.messagesSent, log.sent], [client.received, client.received], log.name)
    if (close.cause === 'client-close') {
      assert.deepEqual([close.code, close.unacknowledged], [1000, 0], log.name)
    }
    assert.equal(close.resumes, log.gaps.filter((gap) => gap === 'resume').length, log.name)
    return close.resumes
  })
  const resumed = last.reduce((sum, resumes) => sum + resumes, 0)
  const { abandoned, sessions } = websocketLifecycle.stats()
  const { stale: _, ...rest } = sessions
  assert.deepEqual(rest, { connected: 0, suspended: 0, resumed, expired: 0, displaced: 0 })
  assert.equal(abandoned, 0)
}

test('sessions outlive hundreds of broken lines: all arrives once and in order, both ways', async (t) => {
  const all = await chaos(t, 8)
  const plain = new PlainClient(all.server.port, 'plain')
  await plain.send(200)
  await until(() => all.proxy.total >= 200)
  all.calm()
  for (const fault of FAULTS) assert.ok((all.proxy.faults.get(fault) ?? 0) > 0, fault)
  await endAll(all)
  await until(() => isEven(all.server, plain))
  assert.deepEqual(plain.faults, [])
  await plain.close()
  await assertEnds(all)
  assert.equal(all.server.app.websocketLifecycle.stats().dropped, 0)
})

test('the same with compression, small boxes, and a loop that reads', async (t) => {
  const all = await chaos(t, 4, true)
  await until(() => all.proxy.total >= 60)
  all.calm()
  await endAll(all)
  await assertEnds(all)
})

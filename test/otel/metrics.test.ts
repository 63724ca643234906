// The metrics of the plugin for OpenTelemetry.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { metrics } from '@opentelemetry/api'
import { DataPointType, MeterProvider, MetricReader } from '@opentelemetry/sdk-metrics'
import { factsOf } from '../../lib/facts/door.js'
import type { LifecycleSocket } from '../../lib/index.js'
import { NUMBER_KEYS } from '../../lib/measures/instruments.js'
import { OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import { logLines } from '../support/servers/log-lines.js'
import { type Connected, serveOne } from '../support/servers/server.js'
import { connectTraced, spans } from '../support/servers/spans.js'
import { until } from '../support/time/timed.js'

/** Reads when it is asked. */
class Reader extends MetricReader {
  protected async onShutdown(): Promise<void> {}
  protected async onForceFlush(): Promise<void> {}

  /** Each metric, with its points: attributes and value, of a histogram the number of values. */
  async read(): Promise<Map<string, { unit: string; type: DataPointType; points: unknown[] }>> {
    const { resourceMetrics, errors } = await this.collect()
    assert.deepEqual(errors, [])
    const all = resourceMetrics.scopeMetrics.flatMap((scope) => scope.metrics)
    return new Map(
      all.map(({ dataPointType: type, dataPoints, descriptor: { name, unit } }) => {
        const points = dataPoints.map(({ attributes, value }) => [
          attributes,
          typeof value === 'number' ? value : value.count,
        ])
        return [name, { unit, type, points }]
      }),
    )
  }
}

/** A connection that has received a message, of a server with the plugin. */
async function measure(t: TestContext): Promise<Connected & { readonly reader: Reader }> {
  const reader = new Reader()
  const meterProvider = new MeterProvider({ readers: [reader] })
  const connected = await connectTraced(t, { route: { onMessage: () => {} } }, { meterProvider })
  const { app, peer } = connected
  peer.send(RawPeer.frame(OPCODE.text, 'hi'))
  await until(() => factsOf(app).traffic().get('/')?.messagesReceived === 1)
  return { ...connected, reader }
}

test('what happens to connections is measured: by the names, units and attributes of OpenTelemetry', async (t) => {
  const { peer, socket, reader } = await measure(t)
  peer.send(RawPeer.closeFrame(4000))
  await socket.closed
  const all = await reader.read()
  assert.ok(all.size > NUMBER_KEYS.length)
  const route = { 'http.route': '/' }
  assert.deepEqual(all.get('websocket.connections.open'), {
    unit: '{connection}',
    type: DataPointType.SUM,
    points: [[route, 0]],
  })
  assert.deepEqual(all.get('websocket.messages.received')?.points, [[route, 1]])
  const closed = all.get('websocket.connections.closed')?.points ?? []
  const cause = { ...route, 'websocket.close.cause': 'client-close' }
  assert.deepEqual(
    closed.find((point) => (point as unknown[])[1] === 1),
    [cause, 1],
  )
  // Refusals of a path that belongs to no route have none.
  const refused = all.get('websocket.upgrades.refused')?.points ?? []
  assert.ok(refused.some((point) => !('http.route' in ((point as object[])[0] ?? {}))))
  assert.deepEqual(all.get('websocket.connection.duration'), {
    unit: 's',
    type: DataPointType.HISTOGRAM,
    points: [[route, 1]],
  })
  assert.deepEqual(all.get('websocket.message.duration')?.points, [[route, 1]])
  const steps = all.get('websocket.step.duration')?.points ?? []
  assert.deepEqual(steps[0], [{ ...route, 'websocket.step.name': 'messages' }, 1])
})

test('servers with one provider are added up, and what an ended one has counted stays', async (t) => {
  const reader = new Reader()
  const meterProvider = new MeterProvider({ readers: [reader] })
  const one = await connectTraced(t, {}, { meterProvider })
  const other = await connectTraced(t, {}, { meterProvider })
  const route = { 'http.route': '/' }
  const values = async (): Promise<unknown[]> => {
    const all = await reader.read()
    return ['open', 'opened'].map((name) => all.get(`websocket.connections.${name}`)?.points)
  }
  assert.deepEqual(await values(), [[[route, 2]], [[route, 2]]])
  one.peer.destroy()
  await one.app.close()
  assert.deepEqual(await values(), [[[route, 1]], [[route, 2]]])
  other.peer.destroy()
})

test('they go to the global meter provider, and end with the last connection', async (t) => {
  const reader = new Reader()
  metrics.setGlobalMeterProvider(new MeterProvider({ readers: [reader] }))
  t.after(() => metrics.disable())
  const { app, peer } = await connectTraced(t)
  assert.equal((await reader.read()).has('websocket.connections.open'), true)
  peer.destroy()
  await app.close()
  await spans.one('WebSocket end /')
  assert.equal((await reader.read()).get('websocket.drain.duration')?.points.length, 1)
  assert.equal(factsOf(app).callTimer.isDue(), false)
})

test('there are none where they are not wanted', async (t) => {
  const reader = new Reader()
  const meterProvider = new MeterProvider({ readers: [reader] })
  const { peer } = await connectTraced(t, {}, { meterProvider, metrics: false })
  assert.deepEqual([...(await reader.read()).keys()], [])
  peer.destroy()
})

test('nothing is measured where nobody has set a provider, or without the plugin', async (t) => {
  const { app, peer } = await connectTraced(t)
  const without = await serveOne(t)
  for (const each of [app, without.app]) assert.equal(factsOf(each).callTimer.isDue(), false)
  peer.destroy()
})

test('a meter that fails ends neither the process nor a connection, and is logged once', async (t) => {
  const { lines, fastify } = logLines()
  const meterProvider = new MeterProvider({ readers: [new Reader()] })
  const meter = meterProvider.getMeter('fastify-websocket-lifecycle')
  const create = meter.createHistogram.bind(meter)
  meter.createHistogram = (...about) =>
    Object.assign(create(...about), {
      record: () => {
        throw new Error('as asked')
      },
    })
  const answers = { onMessage: (socket: LifecycleSocket) => void socket.send('yes') }
  const { peer, socket } = await connectTraced(t, { fastify, route: answers }, { meterProvider })
  for (const text of ['1', '2']) {
    peer.send(RawPeer.frame(OPCODE.text, text))
    assert.equal(String((await peer.nextOf(OPCODE.text))?.payload), 'yes')
  }
  peer.send(RawPeer.closeFrame(1000))
  assert.equal((await socket.closed).cause, 'client-close')
  const failed = lines.filter(({ msg }) => String(msg).includes('metrics, spans'))
  assert.equal(failed.length, 1)
  assert.match(JSON.stringify(failed), /as asked/)
})

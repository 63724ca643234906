import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  type IdleCluster,
  IdleClusters,
  intervalBelow,
  type Silence,
} from '../../../lib/core/diagnosis/idle-cluster.js'
import { randomFrom } from '../../support/models/random.js'

const HOUR = 3_600_000
type Random = () => number

const exponential = (random: Random, mean: number): number => -Math.log(1 - random()) * mean

function normal(random: Random): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
}

function lose(
  clusters: IdleClusters,
  at: number,
  silence: Partial<Silence> | number,
  outlived: (cluster: IdleCluster) => boolean = () => false,
): IdleCluster | undefined {
  const of = typeof silence === 'number' ? { received: silence, sent: silence } : silence
  const all = { received: 0, sent: 0, pinged: Infinity, ...of }
  return clusters.lost({ at, route: '/', silence: all, interval: Infinity }, outlived)
}

/** Silences that have nothing to do with a timeout, by what makes them. */
const NATURAL: Readonly<Record<string, (random: Random) => Partial<Silence> | number>> = {
  'pings each 25 s': (random) => random() * 25_000,
  'pings, and a side that talks': (random) => ({
    received: random() * 25_000,
    sent: random() * 25_000,
  }),
  'talk that is rare': (random) => ({
    received: exponential(random, 60_000),
    sent: exponential(random, 60_000),
  }),
  'people who read': (random) => ({
    received: Math.exp(10.5 + 0.7 * normal(random)),
    sent: Math.exp(11 + 0.7 * normal(random)),
  }),
  'a task of about a minute': (random) => Math.exp(11 + 0.15 * normal(random)),
}

for (const [what, silence] of Object.entries(NATURAL)) {
  test(`losses at random are no cluster: ${what}`, () => {
    for (let seed = 1; seed <= 20; seed++) {
      const random = randomFrom(seed * 7_919)
      const clusters = new IdleClusters()
      let at = 0
      for (let i = 0; i < 500; i++) {
        at += exponential(random, 5_000)
        assert.equal(lose(clusters, at, silence(random)), undefined, `seed ${seed}`)
      }
    }
  })
}

test('a proxy that restarts each ten minutes makes none, although all pings leave at the same few times', () => {
  for (let seed = 1; seed <= 20; seed++) {
    const random = randomFrom(seed * 31)
    const clusters = new IdleClusters()
    for (let restart = 1; restart <= 60; restart++) {
      const phase = random() * 1_000
      for (let i = 0; i < 200; i++) {
        const silence = phase + Math.floor(random() * 25) * 1_000
        assert.equal(lose(clusters, restart * 600_000 + i, silence), undefined)
      }
    }
  }
})

for (const [share, most] of [
  [1, 20],
  [0.2, 150],
  [0.1, 400],
] as const) {
  test(`a timeout that makes ${share * 100} % of the losses is found within ${most} of them`, () => {
    for (let seed = 1; seed <= 20; seed++) {
      const random = randomFrom(seed)
      for (const age of [30_000, 60_000, 350_000]) {
        const clusters = new IdleClusters()
        let found: IdleCluster | undefined
        for (let i = 1; i <= most && found === undefined; i++) {
          const isCut = random() < share
          const silence = isCut ? age + 900 * random() : exponential(random, 60_000)
          found = lose(clusters, i * 5_000, silence)
        }
        assert.ok(found, `${age}, seed ${seed}`)
        assert.equal(found.silent, 'both')
        assert.ok(Math.abs(found.age - age) <= Math.max(1_000, 0.02 * age), `${found.age}`)
      }
    }
  })
}

test('a cluster has ten losses at least, and tells when it began and where', () => {
  const clusters = new IdleClusters()
  const routes = ['/a', '/a', '/b']
  const told = Array.from({ length: 10 }, (_, i) =>
    clusters.lost(
      {
        at: 5_000 * i,
        route: routes[i % 3] ?? '',
        silence: { received: 60_000 + 100 * i, sent: 70_000 + 9_000 * i, pinged: 70_000 },
        interval: Infinity,
      },
      () => false,
    ),
  )
  assert.deepEqual(told.slice(0, 9), Array.from({ length: 9 }))
  const { routes: counts, ...rest } = told[9] ?? assert.fail()
  assert.deepEqual(rest, { silent: 'both', age: 60_000, count: 10, since: 0 })
  assert.deepEqual(
    [...counts],
    [
      ['/a', 7],
      ['/b', 3],
    ],
  )
})

test('the silence of one side alone is enough', () => {
  for (const [silent, silence] of [
    ['client', { received: 60_000, sent: 5_000 }],
    ['server', { received: 500, sent: 60_000 }],
  ] as const) {
    const clusters = new IdleClusters()
    const told = Array.from({ length: 10 }, (_, i) => lose(clusters, 5_000 * i, silence))
    assert.equal(told[9]?.silent, silent)
  }
})

for (const [what, sent, pinged] of [
  ['a loss right after we have sent something', 500, 30_000],
  ['a loss right after a ping', 500, 500],
] as const) {
  test(`${what} is an answer, and tells nothing of a timeout`, () => {
    const clusters = new IdleClusters()
    const silence = { received: 60_000, sent, pinged }
    for (let i = 0; i < 50; i++) {
      assert.equal(lose(clusters, 5_000 * i, silence), undefined)
    }
  })
}

test('losses in one moment count as one, and a silence that is short does not count', () => {
  const clusters = new IdleClusters()
  for (let i = 0; i < 9; i++) {
    for (let more = 0; more < 20; more++) {
      assert.equal(lose(clusters, 5_000 * i + more, 60_000), undefined)
    }
  }
  const short = new IdleClusters()
  for (let i = 0; i < 50; i++) assert.equal(lose(short, 5_000 * i, 9_000), undefined)
})

test('a cluster is told of again after an hour, and one of another age at once', () => {
  const clusters = new IdleClusters()
  const toldAt: Array<readonly [number, number]> = []
  for (let at = 0; at <= 2 * HOUR; at += 10_000) {
    for (const age of [60_000, 100_000]) {
      const told = lose(clusters, at + age / 50, age)
      if (told !== undefined) toldAt.push([told.age, Math.floor(at / 60_000)])
    }
  }
  assert.deepEqual(toldAt, [
    [60_000, 1],
    [100_000, 1],
    [60_000, 61],
    [100_000, 61],
  ])
})

/** The server is silent and cut off after 60 s, and the clients send something each 25 s. */
const BESIDE_TALK = { received: 10_000, sent: 60_000 }

test('where two sides make clusters of different ages, none is certain', () => {
  const clusters = new IdleClusters()
  for (let i = 0; i < 50; i++) {
    assert.equal(lose(clusters, 5_000 * i, BESIDE_TALK), undefined)
  }
})

test('an age that others outlive is none, and the one that is left is certain', () => {
  const clusters = new IdleClusters()
  const told = Array.from({ length: 10 }, (_, i) =>
    lose(clusters, 5_000 * i, BESIDE_TALK, ({ age }) => age < 60_000),
  )
  assert.deepEqual([told[9]?.silent, told[9]?.age], ['server', 60_000])
  const outlived = new IdleClusters()
  for (let i = 0; i < 50; i++) {
    assert.equal(
      lose(outlived, 5_000 * i, 60_000, () => true),
      undefined,
    )
  }
})

test('a route that is pinged sooner than the report would propose has another fault', () => {
  const clusters = new IdleClusters()
  const silence = { received: 60_000, sent: 5_000, pinged: 5_000 }
  for (let i = 0; i < 50; i++) {
    const loss = { at: 5_000 * i, route: '/', silence, interval: 25_000 }
    assert.equal(
      clusters.lost(loss, () => false),
      undefined,
    )
  }
})

test('losses of yesterday are forgotten', () => {
  const clusters = new IdleClusters()
  for (let i = 0; i < 40; i++) assert.equal(lose(clusters, 3 * HOUR * i, 60_000), undefined)
})

test('the interval that prevents it leaves room for the jitter of pings', () => {
  assert.deepEqual([10_000, 55_000, 60_500].map(intervalBelow), [7_000, 41_000, 45_000])
})

import type { Second } from '../protocol.js'
import { Chart } from './chart.js'
import { $ } from './make.js'
import { OverTime } from './over-time.js'
import { onTheme } from './palette.js'
import { type Past, total } from './past.js'
import type { ServerClock } from './server-clock.js'
import { bytesOf, millis, numberOf } from './words.js'

type Values = (second: Second) => ReadonlyArray<number | null>

/** What has happened in the last five minutes. */
export class Charts extends OverTime {
  readonly #charts: ReadonlyArray<readonly [Chart, Values]>

  constructor(past: Past, clock: ServerClock) {
    super(past, clock)
    this.#charts = [
      [connected(), ({ open }) => [open]],
      [flow(), ({ opened, ended }) => [opened, total(ended)]],
      [health(), ({ latency, stalled }) => [stalled, latency?.[1] ?? null, latency?.[0] ?? null]],
      [backlog(), ({ inbox, outbox }) => [inbox, outbox]],
    ]
    onTheme(() => {
      for (const [chart] of this.#charts) chart.redraw()
    })
  }

  protected override drawUntil(to: number): void {
    const points = this.past.points()
    const times = points.map(([at]) => at)
    for (const [chart, valuesOf] of this.#charts) {
      const rows = points.map(([, second]) => (second === undefined ? undefined : valuesOf(second)))
      const width = rows.find((row) => row !== undefined)?.length ?? 0
      const columns = Array.from({ length: width }, (_, i) => rows.map((row) => row?.[i] ?? null))
      chart.show(times, columns, to)
    }
  }
}

function connected(): Chart {
  return new Chart($('connected'), {
    curves: [{ title: 'connected', colour: 'accent', kind: 'area' }],
    text: numberOf,
    least: 5,
    hasLegend: true,
  })
}

function flow(): Chart {
  return new Chart($('flow'), {
    curves: [
      { title: 'opened', colour: 'opened', kind: 'line' },
      { title: 'ended', colour: 'ended', kind: 'dashed' },
    ],
    text: numberOf,
    least: 4,
    hasLegend: true,
  })
}

function health(): Chart {
  return new Chart($('health'), {
    curves: [
      { title: 'stalls', colour: 'stalled', kind: 'bars' },
      { title: '95 %', colour: 'high', kind: 'dashed' },
      { title: 'median', colour: 'accent', kind: 'line' },
    ],
    text: millis,
    least: 10,
    hasLegend: true,
  })
}

function backlog(): Chart {
  return new Chart($('backlog'), {
    curves: [
      { title: 'not handled, messages', colour: 'accent', kind: 'line' },
      { title: 'not sent, bytes', colour: 'ended', kind: 'dashed', isRight: true },
    ],
    text: numberOf,
    rightText: bytesOf,
    least: 5,
    hasLegend: true,
  })
}

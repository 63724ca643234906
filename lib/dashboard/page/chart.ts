import type UPlot from 'uplot'
import { fit, make, say } from './make.js'
import { colour } from './palette.js'
import { REACH } from './past.js'
import { NOTHING, timeOf } from './words.js'

/** The classic script uplot.js has put it there. */
const { uPlot } = globalThis as unknown as { uPlot: typeof UPlot }

/** One thing that a chart shows. */
interface Curve {
  readonly title: string
  /** The name of a custom property of CSS. */
  readonly colour: string
  readonly kind: 'line' | 'area' | 'dashed' | 'bars'
  /** The curves of another unit have an axis of their own, at the right. */
  readonly isRight?: boolean
}

export interface ChartOptions {
  readonly curves: readonly Curve[]
  /** The name of each unit: that of the axis at the left, and at the right. */
  readonly text: (value: number) => string
  readonly rightText?: (value: number) => string
  /** The least that the axis at the left reaches to. */
  readonly least: number
  /** Its legend is made by somebody else. */
  readonly hasLegend: boolean
  /** The pointer is at the second of this index; `null`: at none. */
  pointed?(index: number | null): void
}

/** A column of values for each curve; `null`: nothing is known. */
export type Columns = ReadonlyArray<ReadonlyArray<number | null>>

/** One figure: a chart over time, and a legend that says the values. */
export class Chart {
  readonly #options: ChartOptions
  readonly #plot: UPlot
  readonly #legend: HTMLElement | undefined
  #values: Columns = []
  #to = 0
  #pointed: number | null = null

  /** @param figure has a caption */
  constructor(figure: HTMLElement, options: ChartOptions) {
    this.#options = options
    const host = make('div', 'plot')
    host.role = 'img'
    host.ariaLabel = `${figure.dataset['name']}, over the last five minutes: “As a table” has the numbers`
    if (options.hasLegend) {
      this.#legend = make('ul', 'legend')
      figure.append(this.#legend)
    }
    figure.append(host)
    this.#plot = new uPlot(this.#plotOptions(), [[]], host)
    new ResizeObserver(() => {
      const { clientWidth: width, clientHeight: height } = host
      if (width > 0) this.#plot.setSize({ width, height })
    }).observe(host)
  }

  /** @param times in epoch ms */
  show(times: readonly number[], values: Columns, to: number): void {
    this.#values = values
    this.#to = to / 1_000
    const seconds = times.map((time) => time / 1_000)
    this.#plot.setData([seconds, ...values] as UPlot.AlignedData)
    this.#sayValues()
  }

  /** With the colours of now. */
  redraw(): void {
    this.#plot.redraw()
  }

  #sayValues(): void {
    if (this.#legend === undefined) return
    const { curves, text, rightText = text } = this.#options
    fit(
      this.#legend,
      curves,
      () => make('li', '', make('i'), make('span'), make('b')),
      (item, curve) => {
        const column = this.#values[curves.indexOf(curve)] ?? []
        const value = column[this.#pointed ?? column.length - 1] ?? null
        const words = curve.isRight === true ? rightText : text
        item.style.setProperty('--colour', `var(--${curve.colour})`)
        item.className = `is-${curve.kind}`
        say(item.children[1] as Element, curve.title)
        say(item.children[2] as Element, value === null ? NOTHING : words(value))
      },
    )
  }

  #plotOptions(): UPlot.Options {
    const { curves, text, rightText, least } = this.#options
    const axes: UPlot.Axis[] = [
      {
        ...AXIS,
        size: 24,
        space: 44,
        // A minute each.
        incrs: [60, 300],
        values: (_, splits) => splits.map((time) => timeOf(time * 1_000).slice(0, 5)),
      },
      { ...AXIS, scale: 'left', size: 60, values: (_, splits) => splits.map((at) => text(at)) },
    ]
    const scales: UPlot.Scales = {
      x: { time: true, range: () => [this.#to - REACH / 1_000, this.#to] },
      left: { range: (_, __, most) => [0, Math.max(least, (most ?? 0) * 1.1)] },
    }
    if (rightText !== undefined) {
      scales['right'] = { range: (_, __, most) => [0, Math.max(1_024, (most ?? 0) * 1.1)] }
      axes.push({
        ...AXIS,
        scale: 'right',
        side: 1,
        size: 58,
        grid: { show: false },
        values: (_, splits) => splits.map((at) => rightText(at)),
      })
    }
    return {
      // Until its place is measured.
      width: 300,
      height: 160,
      padding: [8, rightText === undefined ? 10 : 0, 0, 0],
      legend: { show: false },
      cursor: {
        y: false,
        drag: { x: false, y: false },
        points: { show: false },
        sync: { key: 'time' },
      },
      hooks: { setLegend: [(plot) => this.#point(plot.cursor.idx ?? null)] },
      scales,
      axes,
      series: [{}, ...curves.map(seriesOf)],
    }
  }

  #point(index: number | null): void {
    this.#pointed = index
    this.#sayValues()
    this.#options.pointed?.(index)
  }
}

const AXIS: UPlot.Axis = {
  stroke: () => colour('soft'),
  font: '11px system-ui, sans-serif',
  grid: { stroke: () => colour('line'), width: 1 },
  ticks: { show: false },
  gap: 6,
}

function seriesOf({ colour: name, kind, isRight }: Curve): UPlot.Series {
  const series: UPlot.Series = {
    scale: isRight === true ? 'right' : 'left',
    stroke: () => colour(name),
    width: 1.5,
    points: { show: false },
  }
  if (kind === 'area') series.fill = () => `${colour(name)}26`
  if (kind === 'dashed') series.dash = [5, 4]
  if (kind === 'bars') {
    series.fill = () => colour(name)
    series.width = 0
    const { bars } = uPlot.paths
    if (bars !== undefined) series.paths = bars({ size: [0.85, Infinity, 1] })
  }
  return series
}

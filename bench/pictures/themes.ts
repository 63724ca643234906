/** Colours that have contrast enough on the picture's own card, whatever page it stands on. */

export interface Theme {
  readonly card: string
  readonly border: string
  readonly grid: string
  readonly text: string
  readonly muted: string
  readonly ours: string
  readonly band: string
  readonly goal: string
}

export const THEMES = {
  light: {
    card: '#ffffff',
    border: '#d1d9e0',
    grid: '#e6eaef',
    text: '#1f2328',
    muted: '#59636e',
    ours: '#0969da',
    band: '#eef6ff',
    goal: '#9a6700',
  },
  dark: {
    card: '#0d1117',
    border: '#3d444d',
    grid: '#242a33',
    text: '#f0f6fc',
    muted: '#9198a1',
    ours: '#4493f8',
    band: '#121d2f',
    goal: '#d29922',
  },
} as const satisfies Record<string, Theme>

const FONT = `-apple-system, BlinkMacSystemFont, 'Segoe UI', 'Noto Sans', Helvetica, Arial, sans-serif`

export function styleOf({ card, border, grid, text, muted, ours, band, goal }: Theme): string {
  return `
    text { font: 12px ${FONT}; fill: ${text} }
    .title { font-size: 17px; font-weight: 600 }
    .heading { font-weight: 600 }
    .muted, .small { fill: ${muted} }
    .small { font-size: 11px }
    .name { font-size: 12.5px }
    .number { text-anchor: end; font-variant-numeric: tabular-nums }
    .tick { text-anchor: middle }
    text.ours { font-weight: 600 }
    path { stroke-width: 1; stroke: ${border} }
    .card { fill: ${card}; stroke: ${border} }
    .band { fill: ${band} }
    .grid { stroke: ${grid} }
    .mark { stroke: ${text}; stroke-width: 1.5 }
    .goal { stroke: ${goal}; stroke-width: 2; stroke-dasharray: 3 2 }
    .whisker { stroke-width: 1.75 }
    .series { fill: none; stroke-width: 1.75 }
    .other.series { stroke-dasharray: 5 3 }
    .other:not(text) { stroke: ${muted} }
    .other.dot { fill: ${card}; stroke-width: 2 }
    .ours:not(text) { stroke: ${ours} }
    .ours.dot { fill: ${ours} }
  `
}

import type { ToPage } from '../protocol.js'
import { Breakdown } from './breakdown.js'
import { Causes } from './causes.js'
import { Charts } from './charts.js'
import { Connections } from './connections.js'
import { Ends } from './ends.js'
import { Entries } from './entries.js'
import { Head } from './head.js'
import { Line } from './line.js'
import { Minutes } from './minutes.js'
import type { Part } from './part.js'
import { Past } from './past.js'
import { Reports } from './reports.js'
import { ServerClock } from './server-clock.js'
import { Sheet } from './sheet.js'
import { Tiles } from './tiles.js'

/** Draws once in a frame at most, however much is heard. */
let isRequested = false
function changed(): void {
  if (isRequested) return
  isRequested = true
  requestAnimationFrame(() => {
    isRequested = false
    for (const part of parts) part.draw()
  })
}

const clock = new ServerClock()
const line = new Line(heard, changed)
const past = new Past()
const entries = new Entries()
const sheet = new Sheet(entries, line, clock, changed)
const ends = new Ends((id) => sheet.openEnd(id), changed)

/** First those that others ask. */
const parts: readonly Part[] = [
  past,
  entries,
  new Head(line, clock),
  new Reports(),
  new Tiles(past),
  new Charts(past, clock),
  new Causes(past, clock, (cause) => {
    ends.choose(cause)
    changed()
  }),
  new Minutes(past, changed),
  new Breakdown(past),
  new Connections(entries, line, clock, (id) => sheet.openLive(id), changed),
  ends,
  sheet,
]

function heard(message: ToPage): void {
  switch (message.type) {
    case 'hello':
      clock.set(message.at)
      for (const part of parts) part.reset(message)
      break
    case 'update':
      clock.set(message.at)
      for (const part of parts) part.take(message)
      break
    case 'end':
      sheet.takeEnd(message)
      break
    case 'closed':
      sheet.takeClosed(message)
      break
  }
  changed()
}

// Ages grow, and a countdown goes on.
setInterval(changed, 1_000)
changed()

import type { Scenario } from '../harness/scenario.js'
import { churn, memory } from './connections.js'
import { detection, stalls } from './detection.js'
import { ECHOES } from './echo.js'
import { fanOut } from './fan-out.js'
import { GROWTHS } from './growth.js'
import { busyHeartbeat, idleHeartbeat } from './heartbeat.js'
import { latency } from './latency.js'
import { SHUTDOWNS, storm } from './shutdown.js'

export const SCENARIOS: readonly Scenario[] = [
  ...ECHOES,
  latency,
  churn,
  memory,
  idleHeartbeat,
  busyHeartbeat,
  detection,
  stalls,
  fanOut,
  ...SHUTDOWNS,
  storm,
  ...GROWTHS,
]

import type { Scenario } from '../harness/scenario.js'
import { churn, memory, memoryWithMetrics } from './connections.js'
import { detection, stalls } from './detection.js'
import { ECHOES } from './echo.js'
import { fanOut } from './fan-out.js'
import { OF_GROUPS } from './groups.js'
import { GROWTHS } from './growth.js'
import { busyHeartbeat, idleHeartbeat } from './heartbeat.js'
import { latency } from './latency.js'
import { OF_SESSIONS } from './sessions.js'
import { SHUTDOWNS, storm } from './shutdown.js'

export const SCENARIOS: readonly Scenario[] = [
  ...ECHOES,
  latency,
  churn,
  memory,
  memoryWithMetrics,
  idleHeartbeat,
  busyHeartbeat,
  detection,
  stalls,
  fanOut,
  ...OF_GROUPS,
  ...SHUTDOWNS,
  storm,
  ...OF_SESSIONS,
  ...GROWTHS,
]

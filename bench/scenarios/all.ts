import type { Scenario } from '../harness/scenario.js'
import { busyHeartbeat } from './busy-heartbeat.js'
import { churn } from './churn.js'
import { detection } from './detection.js'
import { echo, echoOfFewAndMany, echoSteady } from './echo.js'
import { fanOut } from './fan-out.js'
import { growthOfHeartbeats } from './growth-heartbeats.js'
import { growthOfConnections } from './growth.js'
import { idleHeartbeat } from './idle-heartbeat.js'
import { latency } from './latency.js'
import { memory } from './memory.js'
import { shutdown, shutdownOfFrozen } from './shutdown.js'
import { stalls } from './stalls.js'
import { storm } from './storm.js'

export const SCENARIOS: readonly Scenario[] = [
  echo,
  echoOfFewAndMany,
  echoSteady,
  latency,
  churn,
  memory,
  idleHeartbeat,
  busyHeartbeat,
  detection,
  stalls,
  fanOut,
  shutdown,
  shutdownOfFrozen,
  storm,
  growthOfConnections,
  growthOfHeartbeats,
]

import type { Scenario } from '../harness/scenario.js'
import { busyHeartbeats } from './busy-heartbeat.js'
import { churn } from './churn.js'
import { detections } from './detection.js'
import { echoes, echoesOfFewAndMany } from './echo.js'
import { steadyEchoes } from './echo-steady.js'
import { fanOut } from './fan-out.js'
import { growthOfHeartbeats } from './growth-heartbeats.js'
import { growths } from './growth.js'
import { idleHeartbeats } from './idle-heartbeat.js'
import { latency } from './latency.js'
import { memory } from './memory.js'
import { shutdownOfFrozen, shutdownOfPolite } from './shutdown.js'
import { stalls } from './stalls.js'
import { storms } from './storm.js'

export const SCENARIOS: readonly Scenario[] = [
  echoes,
  echoesOfFewAndMany,
  steadyEchoes,
  latency,
  churn,
  memory,
  idleHeartbeats,
  busyHeartbeats,
  detections,
  stalls,
  fanOut,
  shutdownOfPolite,
  shutdownOfFrozen,
  storms,
  growths,
  growthOfHeartbeats,
]

import type { LedgerFile } from '../ledger.js'
import { LOG_LINES } from '../../../../lib/facts/log-lines.js'
import type { Report } from './config.js'

interface LogLine {
  readonly level: number
  readonly msg: string
  readonly time: number
  readonly pid: number
  readonly hostname: string
  /** The dead node that it is about. */
  readonly dead?: string
}

const WARN = 40

/** A stream for the app's log: what it says of claims, and all warnings, go to the ledger. */
export function logInto(
  ledger: LedgerFile,
  report: (report: Report) => void,
): { write: (line: string) => void } {
  return {
    write(line) {
      const { level, msg, time: _, pid: __, hostname: ___, ...about } = JSON.parse(line) as LogLine
      const { dead: node = '' } = about
      if (msg === LOG_LINES.clusterClaimed.text) {
        ledger.write({ what: 'claimed', node })
        report({ report: 'cleaning' })
      } else if (msg === LOG_LINES.clusterCleaned.text) ledger.write({ what: 'cleaned', node })
      else if (msg === LOG_LINES.clusterClaimLost.text) ledger.write({ what: 'lost claim', node })
      else if (level >= WARN) ledger.write({ what: 'log', level, text: msg, about })
    },
  }
}

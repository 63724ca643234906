import type { EndDetails, Frame } from '../protocol.js'
import type { Fact } from './facts.js'
import { bytesOf, dateOf, lasting, many, millis, NOTHING, numberOf, plain } from './words.js'

/** The record of an end. */
export function factsOfEnd(end: EndDetails): Fact[] {
  const facts: Fact[] = [
    ['cause', end.cause],
    ['expected', end.expected ? 'yes' : 'no: unexpected'],
    ['code', `${end.code} ${plain(end.reason)}`.trim()],
    ['ended by', end.initiator],
    ['clean', end.clean ? 'yes: close frames both ways' : 'no'],
    ['worth a retry', end.retryable ? 'yes' : 'no'],
    ['sent frame', frame(end.sent)],
    ['received frame', frame(end.received)],
    ['route', end.route],
    ['address', plain(end.address) || NOTHING],
    ['agent', plain(end.agent) || NOTHING],
    ['opened', dateOf(end.openedAt)],
    ['ended', dateOf(end.at)],
    ['lasted', lasting(end.duration)],
    ['latency', millis(end.latency)],
    ['received', `${many(end.messagesReceived, 'message')}, ${bytesOf(end.bytesReceived)}`],
    ['sent', `${many(end.messagesSent, 'message')}, ${bytesOf(end.bytesSent)}`],
    ['resumes', numberOf(end.resumes)],
    ['not confirmed', many(end.unacknowledged, 'message')],
  ]
  if (end.error !== '') facts.push(['error', plain(end.error)])
  return facts
}

/** What ran when it had ended. */
export function stepsOf({ steps }: EndDetails): string[] {
  if (steps === null) return ['still running']
  return steps.map(
    ({ name, duration, overran }) =>
      `${plain(name)}: ${lasting(duration)}${overran ? ', left behind: it took too long' : ''}`,
  )
}

function frame(frame: Frame | null): string {
  return frame === null ? 'none' : `${frame.code} ${plain(frame.reason)}`.trim()
}

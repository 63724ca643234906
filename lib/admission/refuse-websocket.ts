import { STATUS_CODES } from 'node:http'
import type { FastifyReply } from 'fastify'
import type { HookReturn, Refused } from '../api/augmentation.js'
import { CloseCode, toReason, toSendableCode } from '../core/close/codes.js'
import { tooLateToRefuse } from '../errors.js'
import { refusalCodeReplaced } from '../facts/log-lines.js'
import { logSafely } from '../facts/log.js'
import { kindOf } from '../options/complaints.js'
import { routeNameOf } from '../routes/route.js'
import { isUpgrade } from './scope-holder.js'
import { upgradeOf } from './upgrade.js'

const kAnswered = Symbol('fastify-websocket-lifecycle.answered')

/** The HTTP status for a request that is no upgrade, by close code. */
const STATUS_OF: ReadonlyMap<number, number> = new Map([
  [CloseCode.Unauthorized, 401],
  [CloseCode.Forbidden, 403],
  [CloseCode.ServiceRestart, 503],
  [CloseCode.TryAgainLater, 503],
])

function statusOf(closeCode: number | undefined): number {
  return (closeCode !== undefined && STATUS_OF.get(closeCode)) || 400
}

/** Carries out `reply.refuseWebsocket()`. */
export function refuseWebsocket<Expected extends HookReturn>(
  reply: FastifyReply,
  code: number | undefined,
  reason: string | undefined,
): Refused<Expected>
export function refuseWebsocket(
  reply: FastifyReply,
  code: number | undefined,
  reason: string | undefined,
): FastifyReply {
  const { raw } = reply.request
  const closeCode = sendableCode(reply, code)
  const text = toReason(reason)
  const upgrade = upgradeOf(raw)
  if (upgrade !== undefined) upgrade.refuseForApp(reply, closeCode, text)
  else if (isUpgrade(raw)) throw tooLateToRefuse(routeNameOf(reply.request))
  else answer(reply, statusOf(closeCode), text)
  return reply
}

function sendableCode(reply: FastifyReply, code: unknown): number | undefined {
  if (code === undefined) return CloseCode.Unauthorized
  const sent = toSendableCode(code, CloseCode.Unauthorized)
  if (sent === undefined || sent === code) return sent
  logSafely(reply.log, refusalCodeReplaced(sent), { code: kindOf(code) })
  return sent
}

/** Answers by HTTP, in the form of Fastify's own errors. */
function answer(reply: FastifyReply, statusCode: number, reason: string): void {
  // This answer runs the onSend hooks, and one of these may be the caller.
  if (kAnswered in reply) throw tooLateToRefuse(routeNameOf(reply.request))
  Object.assign(reply, { [kAnswered]: true })
  const error = STATUS_CODES[statusCode]
  void reply.code(statusCode).send({ statusCode, error, message: reason === '' ? error : reason })
}

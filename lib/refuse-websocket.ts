import { STATUS_CODES } from 'node:http'
import type { FastifyReply } from 'fastify'
import { kindOf } from './checks.js'
import { CloseCode, isSendableCode, toReason } from './core/close-codes.js'
import { tell } from './ending.js'
import { tooLateToRefuse } from './errors.js'
import { isUpgrade, upgradeOf } from './upgrade.js'

const kAnswered = Symbol('fastify-websocket-lifecycle.answered')

/** What a request that is no upgrade is answered for a close code. */
const STATUS_OF: ReadonlyMap<number, number> = new Map([
  [CloseCode.Unauthorized, 401],
  [CloseCode.Forbidden, 403],
  [CloseCode.ServiceRestart, 503],
  [CloseCode.TryAgainLater, 503],
])

/** What `reply.refuseWebsocket()` does. */
export function refuseWebsocket(
  reply: FastifyReply,
  code: number | undefined,
  reason: string | undefined,
): FastifyReply {
  const { raw } = reply.request
  const closeCode = sendableCode(reply, code)
  const text = toReason(reason)
  const upgrade = upgradeOf(raw)
  if (upgrade !== undefined) upgrade.refuseWithClose(reply, closeCode, text)
  else if (isUpgrade(raw)) throw tooLateToRefuse(routeNameOf(reply))
  else answer(reply, STATUS_OF.get(closeCode) ?? 400, text)
  return reply
}

function routeNameOf({ request }: FastifyReply): string {
  return `${request.method} ${request.routeOptions.url}`
}

function sendableCode(reply: FastifyReply, code: unknown): number {
  if (code === undefined || isSendableCode(code)) return code ?? CloseCode.Unauthorized
  tell(
    reply.log,
    'warn',
    { code: kindOf(code) },
    `refuseWebsocket() got a code that may not be sent; ${CloseCode.Unauthorized} was`,
  )
  return CloseCode.Unauthorized
}

/** In the form of Fastify's own errors. */
function answer(reply: FastifyReply, statusCode: number, reason: string): void {
  // Its own answer runs the onSend hooks, one of which may be the caller.
  if (kAnswered in reply) throw tooLateToRefuse(routeNameOf(reply))
  Object.assign(reply, { [kAnswered]: true })
  const error = STATUS_CODES[statusCode]
  void reply.code(statusCode).send({ statusCode, error, message: reason === '' ? error : reason })
}

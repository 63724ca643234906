import { WebSocket } from 'ws'
import type { Data, SendOptions } from '../api/socket.js'
import { callWs, isSendOwn } from '../platform/ws-own.js'
import type { SendCallback } from './send-callbacks.js'
import { NO_OPTIONS } from './send-options.js'

/** Gives a message to ws, or to the tool that has replaced its `send`. */
export function handToWs(
  socket: WebSocket,
  data: Data,
  options: SendOptions,
  done: SendCallback | undefined,
): void {
  if (isSendOwn(socket)) WebSocket.prototype.send.call(socket, data, options, done)
  // Some tools take the last argument for the callback, or add theirs after it.
  else if (options === NO_OPTIONS) callWs('send', socket, data, done)
  else callWs('send', socket, data, options, done)
}

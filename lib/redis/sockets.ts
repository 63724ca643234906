import { connect, isIP, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import type { Endpoint } from './address.js'

/** Connects to another node. A FIN of that node does not end what is sent to it. */
export function connectTo({ isTls, host, port }: Endpoint): Socket {
  const options = { host, port, allowHalfOpen: true, noDelay: true }
  if (!isTls) return connect(options)
  // Without it no name is sent, and a server with many certificates does not know which one to show.
  const servername = isIP(host) === 0 ? host : ''
  return connectTls({ ...options, servername, ALPNProtocols: ['http/1.1'] })
}

/** Whoever listens for `'close'` sees the error on the socket. Without a listener node ends the process. */
export function ignoreError(): void {}

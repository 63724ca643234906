import { once } from 'node:events'
import { connect as connectTcp, type Socket } from 'node:net'
import type { TestContext } from 'node:test'
import { connect as connectTls } from 'node:tls'
import type { ClientOptions } from 'ws'
import { type Answer, Client } from '../../support/peers/client.js'
import { refusalFrom } from './refusal-from.js'
import { type Observed, type OneRoute, serveOne } from '../../support/servers/server.js'
import { cert } from '../../support/servers/tls.js'
import { type Nginx, startNginx } from './nginx.js'

/** What makes nginx hand on upgrades at all. */
export const UPGRADES = `
  proxy_http_version 1.1;
  proxy_set_header Upgrade $http_upgrade;
  proxy_set_header Connection $connection_upgrade;`

/** The host as the client asked for it, with its port. */
export const HOST = 'proxy_set_header Host $http_host;'

/** What the client asked for, over what and from where, for an app that trusts nginx. */
export const FORWARDED = `
  proxy_set_header X-Forwarded-Host $http_host;
  proxy_set_header X-Forwarded-Proto $scheme;
  proxy_set_header X-Forwarded-For $remote_addr;`

/** Options of an app that trusts nginx, and nobody else. */
export const TRUSTING = { trustProxy: '127.0.0.1' } as const

export interface Visit {
  readonly path?: string
  /** The address that the client comes from. */
  readonly from?: string
  readonly headers?: Record<string, string>
}

/** A client made of bytes: its TLS, and the TCP connection below. */
export interface RawVisitor {
  readonly tcp: Socket
  readonly stream: Socket
}

/** A real nginx, as clients see it. */
export interface Front {
  readonly nginx: Nginx
  /** Where browsers find it: `localhost` and a port that is not the default. */
  readonly host: string
  readonly open: (visit?: Visit) => Promise<Client>
  readonly refusal: (visit?: Visit) => Promise<Answer>
  readonly dial: (from?: string) => Promise<RawVisitor>
}

export interface Behind extends Observed, Front {}

/** Serves one route behind nginx; `location` is what nginx is told beyond {@link UPGRADES}. */
export async function serveBehind(
  t: TestContext,
  { location = HOST + FORWARDED, ...setup }: OneRoute & { readonly location?: string } = {},
): Promise<Behind> {
  const observed = await serveOne(t, setup)
  const front = await openFront(t, `127.0.0.1:${observed.port}`, location)
  return { ...observed, ...front }
}

/** Starts nginx in front of `server`. */
export async function openFront(t: TestContext, server: string, location: string): Promise<Front> {
  const nginx = await startNginx(t, server, UPGRADES + location)
  const host = `localhost:${nginx.port}`
  const urlOf = ({ path = '/' }: Visit): string => `wss://${host}${path}`
  return {
    nginx,
    host,
    open: async (visit = {}) => Client.open(urlOf(visit), optionsOf(visit)),
    refusal: async (visit = {}) => refusalFrom(urlOf(visit), optionsOf(visit)),
    dial: async (localAddress = '127.0.0.1') => {
      const tcp = connectTcp({ port: nginx.port, host: '127.0.0.1', localAddress })
      const stream = connectTls({ socket: tcp, ca: cert, servername: 'localhost' })
      for (const socket of [tcp, stream]) socket.on('error', () => {})
      t.after(() => tcp.destroy())
      await once(stream, 'secureConnect')
      return { tcp, stream }
    },
  }
}

function optionsOf({ from, headers }: Visit): ClientOptions {
  const options: ClientOptions = { ca: cert, family: 4 }
  if (from !== undefined) options.localAddress = from
  if (headers !== undefined) options.headers = headers
  return options
}

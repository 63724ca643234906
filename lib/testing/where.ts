import type { AddressInfo, Server } from 'node:net'
import { Server as TlsServer } from 'node:tls'
import type { PeerTarget, TestApp } from './api.js'

/** A place on TCP, or a unix socket. */
export type Place = { readonly host: string; readonly port: number } | { readonly path: string }

/** Where a server is. */
export interface Where {
  readonly place: Place
  readonly isTls: boolean
  /** The server itself, where it is in this process. */
  readonly server: Server | undefined
  /** The path of a URL, with its query. */
  readonly path: string
}

/** Those that are starting, or have started. */
const starts = new WeakMap<Server, Promise<string>>()

/** Finds a server, and has an app listen that does not yet, on a free port of loopback. */
export async function find(target: PeerTarget): Promise<Where> {
  if (typeof target === 'string' || target instanceof URL) return ofUrl(new URL(target))
  if (!('listen' in target)) return { ...ofUrl(new URL(target.url)), server: target.server }
  const { server } = target
  await listening(target)
  return { place: placeOf(server), isTls: server instanceof TlsServer, server, path: '/' }
}

async function listening(app: TestApp): Promise<void> {
  const { server } = app
  if (server.listening) return
  const start = starts.get(server) ?? app.listen({ port: 0, host: '127.0.0.1' })
  starts.set(server, start)
  await start
}

function placeOf(server: Server): Place {
  const at = server.address() as AddressInfo | string
  if (typeof at === 'string') return { path: at }
  const { address: host, port } = at
  // Nobody can connect to all addresses.
  const ofAll = new Map([
    ['0.0.0.0', '127.0.0.1'],
    ['::', '::1'],
  ])
  return { host: ofAll.get(host) ?? host, port }
}

/** @throws if it has no port, and its protocol has none of its own that we know */
function ofUrl({ href, hostname, pathname, port, protocol, search }: URL): Where {
  const isTls = /^(?:wss|https|rediss):$/.test(protocol)
  const usual = new Map([
    ['ws:', 80],
    ['http:', 80],
    ['wss:', 443],
    ['https:', 443],
    ['redis:', 6379],
    ['rediss:', 6379],
  ]).get(protocol)
  const number = port === '' ? usual : Number(port)
  if (number === undefined) throw new Error(`Expected a URL with a port, got ${href}`)
  // IPv6 is in brackets in a URL, and nowhere else.
  const host = hostname.replace(/^\[(.*)\]$/, '$1')
  return {
    place: { host, port: number },
    isTls,
    server: undefined,
    path: `${pathname === '' ? '/' : pathname}${search}`,
  }
}

// @hocuspocus/server 4, which asks for Node 22 and so is no dependency of ours. It runs on Node 20, too.
import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import type { WebSocket } from 'ws'
import type { Doc } from 'yjs'
import { env } from '../support/servers/tarball.js'
import { describeFiveStages } from './support/five-stages.js'
import { type Hooks, makeHocuspocus, type Packages, testStoring } from './support/hocuspocus.js'

/** What is used of @hocuspocus/server 4. */
interface ServerFour {
  readonly Hocuspocus: new (configuration: Hooks) => {
    readonly documents: ReadonlyMap<string, Doc>
    handleConnection(
      socket: WebSocket,
      request: Request,
    ): {
      handleMessage(data: Uint8Array): void
      handleClose(event: { code: number; reason: string }): void
    }
  }
}

/** The page of neighbours names it, too. */
const VERSION = '4.7.0'

async function install(): Promise<Packages> {
  const dir = await mkdtemp(join(tmpdir(), 'hocuspocus-'))
  after(() => rm(dir, { recursive: true }))
  await writeFile(join(dir, 'package.json'), '{ "private": true }')
  const packages = ['server', 'provider'].map((name) => `@hocuspocus/${name}@${VERSION}`)
  const quiet = ['--no-audit', '--no-fund', '--loglevel', 'error']
  await promisify(execFile)('npm', ['install', ...quiet, ...packages, 'yjs', 'y-protocols'], {
    cwd: dir,
    env,
  })
  const { resolve } = createRequire(join(dir, 'package.json'))
  const load = async (name: string): Promise<unknown> => import(pathToFileURL(resolve(name)).href)
  const { Hocuspocus } = (await load('@hocuspocus/server')) as ServerFour
  return {
    provider: (await load('@hocuspocus/provider')) as Packages['provider'],
    yjs: (await load('yjs')) as Packages['yjs'],
    serve: (configuration) => {
      const hocuspocus = new Hocuspocus(configuration)
      return {
        documents: hocuspocus.documents,
        take: (socket, { raw }) => {
          const { headers, url = '/' } = raw
          const client = hocuspocus.handleConnection(
            socket,
            new Request(new URL(url, 'http://localhost'), {
              headers: { cookie: headers.cookie ?? '' },
            }),
          )
          socket.on('message', (data: Buffer) => client.handleMessage(data))
          socket.on('close', (code, reason) =>
            client.handleClose({ code, reason: reason.toString() }),
          )
        },
      }
    },
  }
}

const four = await install()

describeFiveStages('@hocuspocus/server 4', () => makeHocuspocus(four))
testStoring('@hocuspocus/server 4', four)

import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import type { TestContext } from 'node:test'
import { freePort } from '../../../examples/cluster/free-port.js'
import { cert, key } from '../../support/servers/tls.js'

/** Where Debian puts it, which is no folder of everybody's PATH. */
const EXECUTABLE = process.env['NGINX'] ?? '/usr/sbin/nginx'

/** Without ours: nginx itself reads a variable of that name, as sockets that it is to inherit. */
const env: NodeJS.ProcessEnv = { ...process.env }
delete env['NGINX']

/** A real nginx that ends TLS in front of a server. */
export interface Nginx {
  readonly port: number
  /** Ends it without a word to anybody. */
  kill(): Promise<void>
}

/**
 * Starts one, and ends it with the test.
 * @param server where it finds the server, as `server` of an `upstream` has it
 * @param location lines of its `location /`
 */
export async function startNginx(t: TestContext, server: string, location: string): Promise<Nginx> {
  if (!existsSync(EXECUTABLE)) {
    throw new Error(
      `Expected nginx at ${EXECUTABLE}: \`apt-get install nginx\`, or NGINX=/path/to/nginx`,
    )
  }
  const dir = await mkdtemp(join(tmpdir(), 'fastify-websocket-lifecycle-nginx-'))
  const port = await freePort()
  await writeFile(join(dir, 'key.pem'), key)
  await writeFile(join(dir, 'cert.pem'), cert)
  await writeFile(join(dir, 'nginx.conf'), configuration(port, server, location))
  const child = spawn(EXECUTABLE, ['-p', dir, '-c', 'nginx.conf', '-e', 'stderr'], {
    env,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const exited = once(child, 'close')
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL')
    await exited
  }
  t.after(async () => {
    await kill()
    await rm(dir, { recursive: true, force: true })
  })
  const failure = await listening(child)
  if (failure !== undefined) throw new Error(`nginx did not start: ${failure}`)
  return { port, kill }
}

/** One process, which writes nothing outside of its folder. */
function configuration(port: number, server: string, location: string): string {
  return `
    daemon off;
    master_process off;
    pid nginx.pid;
    error_log stderr notice;
    events { worker_connections 512; }
    http {
      access_log off;
      client_body_temp_path body;
      proxy_temp_path proxy;
      fastcgi_temp_path fastcgi;
      uwsgi_temp_path uwsgi;
      scgi_temp_path scgi;
      map $http_upgrade $connection_upgrade {
        default upgrade;
        '' '';
      }
      upstream app {
        server ${server};
        keepalive 16;
      }
      server {
        listen 127.0.0.1:${port} ssl;
        ssl_certificate cert.pem;
        ssl_certificate_key key.pem;
        location / {
          proxy_pass http://app;
          ${location}
        }
      }
    }`
}

/** @returns what it said, if it has ended instead */
async function listening(
  child: ChildProcessByStdio<null, null, Readable>,
): Promise<string | undefined> {
  let said = ''
  return new Promise((resolve) => {
    child.stderr.on('data', (data: Buffer) => {
      said += data.toString()
      // It names its version when its sockets are open.
      if (/\[notice\] .*: nginx\//.test(said)) resolve(undefined)
    })
    child.once('error', ({ message }) => resolve(message))
    child.once('close', () => resolve(said))
  })
}

import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { gzip as gzipWithCallback } from 'node:zlib'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { invalidOption } from '../errors.js'

const gzip = promisify(gzipWithCallback)

/** Nothing may be loaded from elsewhere, nothing inline is run, and nobody may frame it. */
const HEADERS = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'cache-control': 'private, no-cache',
  vary: 'accept-encoding, cookie, authorization',
} as const

const SCRIPT = 'text/javascript; charset=utf-8'
const STYLE = 'text/css; charset=utf-8'

interface Loaded {
  readonly plain: Buffer
  readonly packed: Buffer
  readonly etag: string
}

/** A file that the page needs. It is read when it is first asked for. */
export class PageFile {
  readonly #path: string
  readonly #type: string
  #loaded: Promise<Loaded> | undefined

  constructor(path: string, type: string) {
    this.#path = path
    this.#type = type
  }

  async send(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const { plain, packed, etag } = await (this.#loaded ??= load(this.#path))
    reply.headers({ ...HEADERS, 'content-type': this.#type, etag })
    if (request.headers['if-none-match'] === etag) return reply.code(304).send()
    if (!/\bgzip\b/.test(String(request.headers['accept-encoding']))) return reply.send(plain)
    return reply.header('content-encoding', 'gzip').send(packed)
  }
}

/** The `require` of this package: it finds files of packages. */
interface Here {
  readonly load: NodeJS.Require
}

/**
 * The files by their names beneath the prefix; `''` is the page. There are none if this package was made CommonJS, as Jest
 * does it: then it cannot tell its place.
 * @throws (rejects with) FST_ERR_WSL_INVALID_OPTION if uPlot is not installed
 */
export async function pageFiles(
  here: () => Promise<Here> = findHere,
): Promise<ReadonlyMap<string, PageFile>> {
  const found = await here().catch(() => undefined)
  return found === undefined ? new Map() : filesFoundBy(found.load.resolve)
}

async function findHere(): Promise<Here> {
  // The loader of the tests adds a branch to each import().
  /* c8 ignore next */
  return import('../platform/here.js')
}

function filesFoundBy(resolve: NodeJS.RequireResolve): ReadonlyMap<string, PageFile> {
  const ofUplot = (name: string): string => {
    try {
      return resolve(`uplot/dist/${name}`)
    } catch {
      throw invalidOption(
        'Expected uplot to be installed (`npm install uplot`), which draws the charts of fastify-websocket-lifecycle/dashboard, got none',
      )
    }
  }
  // The same whether this runs from lib/ or from dist/.
  const ours = join(dirname(resolve('fastify-websocket-lifecycle/package.json')), 'dist/dashboard')
  return new Map([
    ['', new PageFile(join(ours, 'page.html'), 'text/html; charset=utf-8')],
    ['page.css', new PageFile(join(ours, 'page.css'), STYLE)],
    ['page.js', new PageFile(join(ours, 'page.js'), SCRIPT)],
    ['icon.svg', new PageFile(join(ours, 'icon.svg'), 'image/svg+xml')],
    ['uplot.css', new PageFile(ofUplot('uPlot.min.css'), STYLE)],
    ['uplot.js', new PageFile(ofUplot('uPlot.iife.min.js'), SCRIPT)],
  ])
}

async function load(path: string): Promise<Loaded> {
  const plain = await readFile(path)
  const hash = createHash('sha256').update(plain).digest('base64url').slice(0, 20)
  return { plain, packed: await gzip(plain), etag: `"${hash}"` }
}

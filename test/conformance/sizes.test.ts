// The cases of Autobahn's TestSuite about large messages, many parts, and small packets.
import { test } from 'node:test'
import { nothingLeft } from '../../lib/testing/index.js'
import { ECHO_ROUTES, EchoServer } from '../support/servers/echo-routes.js'
import { sizes } from './cases/sizes.js'
import { naming, runCase } from './cases/run-case.js'

const MIB = 1024 * 1024
/** By default a message is at most 1 MiB long, and has at most 16,384 parts. */
const LARGE = {
  websocket: { maxPayload: 16 * MIB, maxFragments: 65_536 },
  inbox: { maxBytes: 32 * MIB },
  outbox: { maxBytes: 32 * MIB },
}

for (const [index, route] of ECHO_ROUTES.entries()) {
  // On the first route as large as in the suite, on the others a quarter of that.
  const cases = sizes(index === 0 ? 1 : 4)
  test(`${cases.length} cases on the route ${route}`, async (t) => {
    const server = await EchoServer.serve(t, LARGE)
    for (const each of cases) {
      await naming(each, () => runCase(server, route, each))
      server.forget()
    }
    await nothingLeft(server.app)
  })
}

// The cases of Autobahn's TestSuite about the protocol, by their numbers: the same on each way to get messages.
import { test } from 'node:test'
import { nothingLeft } from '../../lib/testing/index.js'
import { ECHO_ROUTES, EchoServer } from '../support/servers/echo-routes.js'
import { PROTOCOL } from './cases/all.js'
import { naming, runCase } from './cases/run-case.js'

for (const route of ECHO_ROUTES) {
  test(`${PROTOCOL.length} cases on the route ${route}`, async (t) => {
    const server = await EchoServer.serve(t, {})
    for (const each of PROTOCOL) {
      await naming(each, () => runCase(server, route, each))
    }
    await nothingLeft(server.app)
  })
}

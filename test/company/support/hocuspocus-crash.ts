// A program that would end: hooks of Hocuspocus throw, and it awaits none of them. It prints which.
import { Hocuspocus } from '@hocuspocus/server'
import Fastify from 'fastify'
import websocketLifecycle from '../../../lib/index.js'
import { link } from '../../../lib/testing/index.js'
import { collaborationOf, three } from './hocuspocus-3.js'
import { makeHocuspocus } from './hocuspocus.js'
import { Kept } from './kept.js'

process.on('unhandledRejection', (error: Error) => console.log(`unhandled: ${error.message}`))

const thrown = (hook: string) => async (): Promise<never> => {
  throw new Error(hook)
}
const hocuspocus = new Hocuspocus({
  quiet: true,
  debounce: 0,
  onChange: thrown('onChange'),
  onStoreDocument: thrown('onStoreDocument'),
  onStateless: thrown('onStateless'),
  onAwarenessUpdate: thrown('onAwarenessUpdate'),
  onDisconnect: thrown('onDisconnect'),
})
const neighbour = makeHocuspocus({ ...three, serve: () => collaborationOf(hocuspocus) })
const app = Fastify()
await app.register(websocketLifecycle)
await neighbour.add(app, new Kept())
const { provider } = await neighbour.visit({ after: () => {} }, await link(app))
provider.document.getMap().set('key', 'value')
provider.setAwarenessField('name', 'ann')
provider.sendStateless('text')
provider.configuration.websocketProvider.disconnect()

import { portOf } from '../support/servers/server.js'
import { plainRoom } from '../support/servers/plain.js'

const app = await plainRoom(() => {})
console.log(`http://127.0.0.1:${portOf(app)}`)

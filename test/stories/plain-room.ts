import { portOf } from '../support/server.js'
import { plainRoom } from '../support/plain.js'

const app = await plainRoom(() => {})
console.log(`http://127.0.0.1:${portOf(app)}`)

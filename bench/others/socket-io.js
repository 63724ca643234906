/** Socket.IO over WebSocket only, with its defaults: pings each 25 s, no compression. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import { Server } from 'socket.io'
import { obey } from '../servers/control.ts'

const http = createServer()
new Server(http, { transports: ['websocket'] }).on('connection', (socket) => {
  socket.on('echo', (text) => socket.emit('echo', text))
})
await once(http.listen({ host: '127.0.0.1', port: 0, backlog: 4096 }), 'listening')
await obey(http.address().port)

/** Socket.IO over WebSocket only, with its defaults: pings each 25 s, no compression. */
import { createServer } from 'node:http'
import { Server } from 'socket.io'
import { obey } from '../servers/control.ts'

const http = createServer()
const io = new Server(http, { transports: ['websocket'] })

io.on('connection', (socket) => {
  socket.on('echo', (text) => socket.emit('echo', text))
})

http.listen({ host: '127.0.0.1', port: 0, backlog: 4096 }, () => {
  obey(http.address().port)
})

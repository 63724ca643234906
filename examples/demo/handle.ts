import { setTimeout as delay } from 'node:timers/promises'
import type { ChatRoom } from './chat-room.js'
import { isFailure } from './lines.js'
import type { Member } from './member.js'
import { talk } from './talk.js'

/** How long the room takes for one of many messages, and for a job, in ms. */
const DROP = 1
const JOB = 500

/** Handles a message: what the page's buttons send, or else what is said to everybody. */
export async function handle(chat: ChatRoom, member: Member, text: string): Promise<void> {
  await obey(chat, member, text.trim())
  member.handled++
}

async function obey(chat: ChatRoom, member: Member, text: string): Promise<void> {
  const [command = '', act = '', code] = text.split(/\s+/, 3)
  switch (command) {
    case '/kick':
      member.session.close(4001, 'kicked')
      return
    case '/terminate':
      member.session.terminate()
      return
    case '/reject':
      throw new Error('This onMessage rejects')
    case '/drain':
      chat.emit('drain')
      return
    case '/helper':
      chat.emit('helper', act, Number(code))
      return
    case '/line':
      if (isFailure(act)) chat.emit('failure', member, act)
      return
    case '/flood':
      member.load = 'flood'
      await delay(DROP)
      return
    case '/job':
      member.load = 'jobs'
      await delay(JOB)
      chat.say(member, text.slice(command.length))
      return
    case '/talk':
      await talk(member.session)
      return
    default:
      chat.say(member, text)
  }
}

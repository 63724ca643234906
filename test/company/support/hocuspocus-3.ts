import * as provider from '@hocuspocus/provider'
import { Hocuspocus } from '@hocuspocus/server'
import * as yjs from 'yjs'
import type { Collaboration, Packages } from './hocuspocus.js'

export function collaborationOf(hocuspocus: Hocuspocus): Collaboration {
  return {
    documents: hocuspocus.documents,
    take: (socket, { raw }) => hocuspocus.handleConnection(socket, raw),
  }
}

/** The packages that are installed here. */
export const three: Packages = {
  provider,
  yjs,
  serve: (configuration) => collaborationOf(new Hocuspocus(configuration)),
}

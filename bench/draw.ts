/** `npm run bench:draw`: draws the pictures, and none remains but those; quotes in the documents. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { FOLDER, made, ROOT } from './documents/files.js'

const { files } = made()
rmSync(new URL(FOLDER, ROOT), { recursive: true, force: true })
mkdirSync(new URL(FOLDER, ROOT))
for (const [path, content] of files) writeFileSync(new URL(path, ROOT), content)

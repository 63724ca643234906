/** `npm run bench:draw`: draws the pictures of results.json, and quotes it in the documents. */
import { writeDocuments } from './documents/files.js'

writeDocuments()

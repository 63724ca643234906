import { createRequire } from 'node:module'

/**
 * Loads what this package finds. The only file that asks where it stands: one that does cannot be made CommonJS, as Jest
 * makes of modules, so it is imported only when it is asked, and nothing may depend on it.
 */
export const load: NodeJS.Require = createRequire(import.meta.url)

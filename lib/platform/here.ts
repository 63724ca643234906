import { createRequire } from 'node:module'

/**
 * The `require` of this package. This is the only file that asks for its own place (`import.meta`). Such a
 * file cannot be made CommonJS, as Jest does with modules. So it is imported only when it is needed, and
 * nothing may depend on it.
 */
export const load: NodeJS.Require = createRequire(import.meta.url)

import { createRequire } from 'node:module'
import type { default as FastCheck } from 'fast-check'

// In tests `fast-check` is this module (vitest.config.ts), so that it has to ask for the real one
// past the bundler's resolution.
const fc = (createRequire(import.meta.url)('fast-check') as { default: typeof FastCheck }).default

/** Chosen once for the whole run, so that a test that never ends can be begun again. */
const seed = Number(process.env['PROPERTY_SEED'])
if (!Number.isSafeInteger(seed)) throw new Error('PROPERTY_SEED must be an integer')
fc.configureGlobal({ seed })

/** fast-check with the seed of this run, for properties that name none of their own. */
export default fc

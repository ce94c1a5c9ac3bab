// Preloaded into a node (node --import): what its machine says is as PARLEY_TEST_MACHINE has it, JSON
// with any of `clockOffMs`, `freeShare` of every disk, and the `version` of the program.
import fs from 'node:fs/promises'
import { registerHooks, syncBuiltinESMExports } from 'node:module'

const { clockOffMs = 0, freeShare, version } = JSON.parse(process.env.PARLEY_TEST_MACHINE ?? '{}')

const { now } = Date
Date.now = () => now() + clockOffMs

if (freeShare !== undefined) {
  const { statfs } = fs
  fs.statfs = async (...parameters) => {
    const said = await statfs(...parameters)
    return Object.assign(said, { blocks: Math.ceil(said.bavail / freeShare) })
  }
  syncBuiltinESMExports()
}

if (version !== undefined) {
  const file = new URL('../../../package.json', import.meta.url).href
  registerHooks({
    load(url, context, next) {
      const loaded = next(url, context)
      if (url !== file) return loaded
      const json = { ...JSON.parse(Buffer.from(loaded.source).toString()), version }
      return { ...loaded, source: JSON.stringify(json) }
    },
  })
}

#!/usr/bin/env node
// The `parley` command of the package: like parley.mjs of a clone, but npm has installed everything.
import * as nodeModule from 'node:module'
import { isRecentEnough } from './launcher/runtime.mjs'

if (isRecentEnough()) {
  nodeModule.enableCompileCache?.()
  const { main } = await import('./main.ts')
  process.exitCode = await main(process.argv.slice(2))
} else {
  process.stderr.write(
    `parley: this needs Node.js 24.12 or newer, and this is ${process.version}: install that, then try again\n`,
  )
  process.exitCode = 1
}

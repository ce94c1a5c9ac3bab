#!/usr/bin/env node
// The `parley` command. Runs on Node 20: installs what is missing, then hands over to main.ts on a
// Node that is recent enough.
import * as nodeModule from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ensureInstalled } from './launcher/install.mjs'
import { runChild } from './launcher/run-child.mjs'
import { chooseNode, isRecentEnough } from './launcher/runtime.mjs'

const root = dirname(dirname(fileURLToPath(import.meta.url)))

try {
  await ensureInstalled(root)
} catch (error) {
  if (error.name !== 'InstallError') throw error
  process.stderr.write(`parley: ${error.message}\n`)
  process.exit(1)
}

if (isRecentEnough()) {
  // Compiled code is kept between runs: a third of a second less for every command.
  nodeModule.enableCompileCache?.(join(root, '.cache', 'compiled'))
  const { main } = await import('./main.ts')
  process.exitCode = await main(process.argv.slice(2))
} else {
  const self = fileURLToPath(import.meta.url)
  runChild(root, chooseNode(root), [self, ...process.argv.slice(2)], { tether: true })
}

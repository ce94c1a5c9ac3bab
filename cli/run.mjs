#!/usr/bin/env node
// Runs one of the clone's development tools (`node cli/run.mjs vitest run`) on a Node that is
// recent enough, after installing what is missing. Runs on Node 20.
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ensureInstalled } from './launcher/install.mjs'
import { runChild } from './launcher/run-child.mjs'
import { chooseNode } from './launcher/runtime.mjs'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const [tool, ...args] = process.argv.slice(2)

if (tool === undefined) {
  process.stderr.write('usage: node cli/run.mjs <tool> [arguments]\n')
  process.exit(64)
}
try {
  await ensureInstalled(root, { dev: true })
} catch (error) {
  if (error.name !== 'InstallError') throw error
  process.stderr.write(`parley: ${error.message}\n`)
  process.exit(1)
}
// `node` is whichever Node fits; the others are commands of the dependencies.
const program = tool === 'node' ? chooseNode(root) : join(root, 'node_modules', '.bin', tool)
if (!existsSync(program)) {
  process.stderr.write(`parley: no tool called ${tool} is installed\n`)
  process.exit(64)
}
runChild(root, program, args)

import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { isInstalled, writeStamp } from './install-state.mjs'

let root: string

beforeEach(() => (root = mkdtempSync(join(tmpdir(), 'parley-install-'))))
afterEach(() => rmSync(root, { recursive: true, force: true }))

const LOCKED = {
  '': { version: '1.0.0' },
  'node_modules/server': { version: '1.0.0' },
  'node_modules/tool': { version: '2.0.0', dev: true },
  'node_modules/other-platform': { version: '3.0.0', optional: true },
}

const lock = (packages: object) =>
  writeFileSync(join(root, 'package-lock.json'), JSON.stringify({ packages }))

function install(packages: Record<string, { version: string }>) {
  mkdirSync(join(root, 'node_modules'), { recursive: true })
  for (const path of Object.keys(packages)) mkdirSync(join(root, path), { recursive: true })
  writeFileSync(join(root, 'node_modules', '.package-lock.json'), JSON.stringify({ packages }))
}

const stamp = () => join(root, 'node_modules', '.parley-installed')

test('without node_modules nothing is installed', () => {
  lock(LOCKED)
  expect(isInstalled(root, { dev: false })).toBe(false)
})

test('what npm installed by hand is accepted, and stamped so that the next look is quick', () => {
  lock(LOCKED)
  install({
    'node_modules/server': { version: '1.0.0' },
    'node_modules/tool': { version: '2.0.0' },
  })
  expect(isInstalled(root, { dev: true })).toBe(true)
  expect(existsSync(stamp())).toBe(true)
  rmSync(join(root, 'node_modules', '.package-lock.json'))
  expect(isInstalled(root, { dev: true })).toBe(true)
})

test('without the tools the program runs, the tools do not, and nothing is stamped', () => {
  lock(LOCKED)
  install({ 'node_modules/server': { version: '1.0.0' } })
  expect(isInstalled(root, { dev: false })).toBe(true)
  expect(isInstalled(root, { dev: true })).toBe(false)
  expect(existsSync(stamp())).toBe(false)
})

test('another version, or a package whose folder has gone, is not installed', () => {
  lock(LOCKED)
  install({
    'node_modules/server': { version: '1.0.1' },
    'node_modules/tool': { version: '2.0.0' },
  })
  expect(isInstalled(root, { dev: false })).toBe(false)
  install({
    'node_modules/server': { version: '1.0.0' },
    'node_modules/tool': { version: '2.0.0' },
  })
  rmSync(join(root, 'node_modules', 'server'), { recursive: true })
  expect(isInstalled(root, { dev: false })).toBe(false)
})

test('a changed lock file makes the stamp worthless', () => {
  lock(LOCKED)
  mkdirSync(join(root, 'node_modules'))
  writeStamp(root)
  expect(isInstalled(root, { dev: true })).toBe(true)
  lock({ ...LOCKED, 'node_modules/new': { version: '1.0.0' } })
  expect(isInstalled(root, { dev: true })).toBe(false)
})

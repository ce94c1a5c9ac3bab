import { expect, test } from 'vitest'
import { hostsPath, isRecentEnough, whyNodeFails } from './runtime.mjs'

test('Node 24.12 and newer run the program, older ones do not', () => {
  expect(['24.12.0', '24.13.1', '25.0.0', '26.1.0'].filter((v) => !isRecentEnough(v))).toEqual([])
  expect(
    ['20.20.2', '22.22.0', '24.0.0', '24.11.9', '9.0.0'].filter((v) => isRecentEnough(v)),
  ).toEqual([])
})

test('npm does not find the clone’s own commands on its PATH', () => {
  const path =
    '/clone/node_modules/.bin:/usr/bin:/clone/node_modules/node/bin:/elsewhere/node_modules/.bin'
  expect(hostsPath('/clone', path)).toBe('/usr/bin:/elsewhere/node_modules/.bin')
})

test('a Node that does not run here is told from one that does', () => {
  expect(whyNodeFails(process.execPath)).toBeNull()
  expect(whyNodeFails('/nowhere/node')).toMatch(/^Node 24\.12\.0 or newer is needed: .*ENOENT/)
  expect(whyNodeFails('/bin/false')).toMatch(/exit code 1/)
})

import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { takeInstallLock } from './install-lock.mjs'

const run = promisify(execFile)
let directory: string
let path: string

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'parley-lock-'))
  path = join(directory, 'deep', 'install.lock')
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

/** A pid that is certainly dead: of a process that has just ended. */
async function deadPid(): Promise<number> {
  const { stdout } = await run(process.execPath, ['-p', 'process.pid'])
  return Number(stdout)
}

test('processes hold it one after the other', async () => {
  const log = join(directory, 'log')
  const script = `
    import { takeInstallLock } from ${JSON.stringify(fileURLToPath(new URL('install-lock.mjs', import.meta.url)))}
    import { appendFileSync } from 'node:fs'
    const [path, log] = process.argv.slice(1)
    const release = await takeInstallLock(path)
    appendFileSync(log, 'in ')
    await new Promise((resolve) => setTimeout(resolve, 50))
    appendFileSync(log, 'out ')
    release()`
  const args = ['--input-type=module', '-e', script, path, log]
  await Promise.all(Array.from({ length: 4 }, () => run(process.execPath, args)))
  expect(readFileSync(log, 'utf8')).toBe('in out '.repeat(4))
  expect(existsSync(path)).toBe(false)
})

test('who waits is told whom for', async () => {
  const release = await takeInstallLock(path)
  const told: number[] = []
  const second = takeInstallLock(path, (pid: number) => told.push(pid))
  await expect.poll(() => told).toEqual([process.pid])
  release()
  const releaseSecond = await second
  releaseSecond()
})

test('the lock of a dead process is taken over', async () => {
  const release = await takeInstallLock(path)
  release()
  writeFileSync(path, `${await deadPid()}\n`)
  const again = await takeInstallLock(path)
  expect(readFileSync(path, 'utf8')).toBe(`${process.pid}\n`)
  again()
})

test('the lock of a process that has been silent for long is taken over', async () => {
  const release = await takeInstallLock(path)
  release()
  writeFileSync(path, `${process.ppid}\n`)
  const long = new Date(Date.now() - 60_000)
  utimesSync(path, long, long)
  const again = await takeInstallLock(path)
  again()
  expect(existsSync(path)).toBe(false)
})

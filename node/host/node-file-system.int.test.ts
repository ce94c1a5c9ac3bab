import { spawn } from 'node:child_process'
import fs from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { fileSystemContract } from './file-system.contract.ts'
import { NodeFileSystem } from './node-file-system.ts'
import { SyncPace } from './sync-pace.ts'

const made: string[] = []

async function temporary(): Promise<string> {
  const directory = await fs.mkdtemp(join(tmpdir(), 'parley-host-'))
  made.push(directory)
  return directory
}

afterEach(async () => {
  for (const directory of made.splice(0)) await fs.rm(directory, { recursive: true, force: true })
})

const HOLDER = `
  import { NodeFileSystem } from ${JSON.stringify(new URL('./node-file-system.ts', import.meta.url).href)}
  await new NodeFileSystem().lock(process.argv[1])
  process.stdout.write('held')
  setInterval(() => undefined, 1000)
`

/** A disk that was found slow: syncs go to the thread pool. */
function slowPace(): SyncPace {
  const pace = new SyncPace()
  pace.took(1000)
  return pace
}

describe('NodeFileSystem', () => {
  fileSystemContract(async () => ({
    fileSystem: new NodeFileSystem(),
    directory: await temporary(),
  }))

  it('makes directories that nobody else on the machine looks into', async () => {
    const path = join(await temporary(), 'node', 'log')
    await new NodeFileSystem().makeDirectory(path)
    for (const made of [path, join(path, '..')])
      expect((await fs.stat(made)).mode & 0o777).toBe(0o700)
  })

  describe('on a slow disk', () => {
    const fileSystem = new NodeFileSystem({ makePace: slowPace })

    fileSystemContract(async () => ({ fileSystem, directory: await temporary() }))

    it('reports later, keeps the loop free, and fails with the path', async () => {
      const file = await fileSystem.open('/dev/full', { create: 'never' })
      let reported = false
      const error = await new Promise<Error | null>((resolve) => {
        file.writeAndSync(new Uint8Array(10), 0, (failure) => {
          reported = true
          resolve(failure)
        })
        expect(reported).toBe(false)
        expect(() => file.writeAndSync(new Uint8Array(1), 0, () => undefined)).toThrow('two writes')
      })
      expect(error).toMatchObject({ code: 'ENOSPC', path: '/dev/full' })
      await file.close()
    })
  })

  it('names the path and what to do in every error', async () => {
    const fileSystem = new NodeFileSystem()
    const path = `${await temporary()}/absent`
    await expect(fileSystem.readFile(path)).rejects.toMatchObject({
      name: 'FileError',
      code: 'ENOENT',
      path,
      message: `cannot read ${path} (ENOENT): it does not exist: check the path`,
    })
  })

  it('reports a failed write and sync with its path', async () => {
    const fileSystem = new NodeFileSystem()
    const file = await fileSystem.open('/dev/full', { create: 'never' })
    const error = await new Promise<Error | null>((resolve) =>
      file.writeAndSync(new Uint8Array(10), 0, resolve),
    )
    expect(error).toMatchObject({ code: 'ENOSPC', path: '/dev/full' })
    expect(error!.message).toContain('the disk is full')
    await file.close()
  })

  it('names the process that holds a directory, and outlives its death', async () => {
    const directory = await temporary()
    const child = spawn(process.execPath, ['--input-type=module', '-e', HOLDER, directory], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const ended = new Promise((resolve) => child.once('exit', resolve))
    try {
      await new Promise((resolve) => child.stdout.once('data', resolve))
      const fileSystem = new NodeFileSystem()
      await expect(fileSystem.lock(directory)).rejects.toThrow(
        `${directory} is in use by process ${child.pid}`,
      )
      child.kill('SIGKILL')
      await ended
      const unlock = await fileSystem.lock(directory)
      await unlock()
      await unlock()
    } finally {
      child.kill('SIGKILL')
      await ended
    }
  })
})

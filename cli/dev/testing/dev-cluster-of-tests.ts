import { afterAll, beforeAll } from 'vitest'
import { DevProcess, type Outcome, parley } from './dev-process.ts'
import { temporaryDirectory } from './fake-cluster.ts'
import { freeDevPort } from './free-dev-port.ts'

/** A cluster of `parley dev` for all tests of a file, and commands that run where it was started. */
export function devClusterOfTests(): {
  readonly path: string
  readonly run: (...args: string[]) => Promise<Outcome>
} {
  const directory = temporaryDirectory()
  let dev: DevProcess

  beforeAll(async () => {
    dev = new DevProcess(directory.path, ['--port', String(await freeDevPort())])
    await dev.ready()
  })

  afterAll(async () => {
    await dev.stop()
    directory.remove()
  })

  return { path: directory.path, run: (...args) => parley(args, directory.path) }
}

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { freePorts } from '../../node/host/testing/free-ports.ts'

/** Three processes of `bare-node.ts`. */
export class BareCluster {
  readonly url: string
  readonly #children: ChildProcess[]

  private constructor(url: string, children: ChildProcess[]) {
    this.url = url
    this.#children = children
  }

  static async start(directory: string): Promise<BareCluster> {
    const [port, first, second] = (await freePorts(3)) as [number, number, number]
    const file = (name: string) => join(directory, `bare-${name}.log`)
    const children = await Promise.all([
      start('follower', first, file('1')),
      start('follower', second, file('2')),
    ])
    children.push(await start('leader', port, file('0'), first, second))
    return new BareCluster(`http://127.0.0.1:${port}`, children)
  }

  async stop(): Promise<void> {
    for (const child of this.#children) {
      const ended = once(child, 'exit')
      child.kill('SIGKILL')
      await ended
    }
  }
}

async function start(...args: (string | number)[]): Promise<ChildProcess> {
  const script = new URL('./bare-node.ts', import.meta.url).pathname
  const child = spawn(process.execPath, [script, ...args.map(String)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await once(child.stdout!, 'data')
  return child
}

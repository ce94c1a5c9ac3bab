import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { LoadResult, LoadSpec } from './load-spec.ts'

/** Puts the load on in a process of its own and gives what it measured; `stop` ends it early. */
export async function runLoad(spec: LoadSpec, stop?: AbortSignal): Promise<LoadResult> {
  const script =
    spec.target === 'parley' || spec.target === 'bare'
      ? new URL('./load-client.ts', import.meta.url)
      : new URL('../peers/peer-load-client.ts', import.meta.url)
  const child = spawn(process.execPath, [script.pathname, JSON.stringify(spec)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  stop?.addEventListener('abort', () => child.kill('SIGINT'))
  let output = ''
  child.stdout.on('data', (chunk) => (output += chunk))
  const [code] = (await once(child, 'exit')) as [number]
  if (code !== 0) throw new Error(`the load client ended with ${code}`)
  return JSON.parse(output) as LoadResult
}

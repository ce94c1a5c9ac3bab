import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { LoadResult, LoadSpec } from './load-spec.ts'

/** Puts the load on in a process of its own and gives what it measured. */
export async function runLoad(spec: LoadSpec): Promise<LoadResult> {
  const script = new URL('./load-client.ts', import.meta.url).pathname
  const child = spawn(process.execPath, [script, JSON.stringify(spec)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  child.stdout.on('data', (chunk) => (output += chunk))
  const [code] = (await once(child, 'exit')) as [number]
  if (code !== 0) throw new Error(`the load client ended with ${code}`)
  return JSON.parse(output) as LoadResult
}

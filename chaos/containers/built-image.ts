import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const run = promisify(execFile)
const ROOT = fileURLToPath(new URL('../../', import.meta.url))

/** Of its own name: what a developer has built stays what it is. */
export const IMAGE = 'parley-test'

/** Builds the image from the sources as they are; layers that did not change are kept from before. */
export async function buildImage(): Promise<void> {
  // As npm of this machine goes: through its network, to its registry.
  const { stdout } = await run('npm', ['config', 'get', 'registry'])
  const registry = `npm_config_registry=${stdout.trim()}`
  const flags = ['build', '--network', 'host', '--build-arg', registry, '--tag', IMAGE, ROOT]
  await run('docker', flags, { maxBuffer: 64 * 1024 * 1024 }).catch(
    (error: { stdout: string; stderr: string }) => {
      const last = `${error.stdout}\n${error.stderr}`.split('\n').slice(-40).join('\n')
      throw new Error(`the image does not build:\n${last}`)
    },
  )
}

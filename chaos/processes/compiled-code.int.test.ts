import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ProcessCluster } from './process-cluster.ts'

test('a node that is killed leaves its compiled code to the next start', async () => {
  const cluster = await ProcessCluster.create(1)
  const compiled = await mkdtemp(join(tmpdir(), 'parley-compiled-'))
  try {
    await cluster.startAll({ env: { NODE_COMPILE_CACHE: compiled } })
    await cluster.healthy()
    await cluster.kill('n1')
    const files = await readdir(compiled, { recursive: true })
    // One for each module of the node, its dependencies' too.
    expect(files.length).toBeGreaterThan(150)
  } finally {
    await cluster.close()
    await rm(compiled, { recursive: true, force: true })
  }
})

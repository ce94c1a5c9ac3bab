// Nodes that are not what their cluster expects: they wait, and say for what.
import { mkdir, rename, rm } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ProcessCluster } from './process-cluster.ts'

const OUTSIDE_DEV = { dev: false }

let cluster: ProcessCluster

beforeAll(async () => {
  cluster = await ProcessCluster.create(3)
  await cluster.startAll(OUTSIDE_DEV)
  await cluster.healthy()
})
afterAll(() => cluster.close())

/** Waits until the node's `/readyz` answers with the words. */
async function readyz(url: string, status: number, words: RegExp): Promise<string> {
  const deadline = performance.now() + 20_000
  for (let text = ''; ; await sleep(50)) {
    const answer = await fetch(`${url}/readyz`).catch(() => null)
    if (answer !== null) {
      text = await answer.text()
      if (answer.status === status && words.test(text)) return text
    }
    if (performance.now() > deadline) throw new Error(`${url} says: ${text}`)
  }
}

test('a node that finds another one at an address says so once, and waits', async () => {
  const lost = await ProcessCluster.create(2)
  try {
    const [n1, n2] = [lost.node('n1'), lost.node('n2')]
    const elsewhere = { ...n2, peerAddress: cluster.node('n3').peerAddress }
    const members = [n1, elsewhere]
      .map(({ name, url, peerAddress }) => `${name}=${new URL(url).host}/${peerAddress}`)
      .join(',')
    await lost.start('n1', { dev: false, flags: ['--initial-members', members] })
    await readyz(n1.url, 503, /forming|stranger/)
    // Time to dial a few times more.
    await sleep(2_500)
    const output = await lost.output('n1')
    expect(output.match(/is n3, not n2: check the peer addresses/g)).toHaveLength(1)
    await readyz(n1.url, 503, /forming|stranger/)
    expect((await fetch(`${n1.url}/livez`)).status).toBe(200)
    expect((await cluster.state('n3'))!.members).toHaveLength(3)
  } finally {
    await lost.close()
  }
})

test('members that were told different things do not form a cluster, and say so', async () => {
  const torn = await ProcessCluster.create(3)
  try {
    const entry = ({ name, url, peerAddress }: (typeof torn.nodes)[number]) =>
      `${name}=${new URL(url).host}/${peerAddress}`
    const [n1, n2, n3] = torn.nodes.map(entry)
    await torn.start('n1', { dev: false, flags: ['--initial-members', `${n1},${n2}`] })
    await torn.start('n2', { dev: false, flags: ['--initial-members', `${n1},${n2},${n3}`] })
    await readyz(torn.node('n2').url, 503, /forming/)
    for (let tries = 0; tries < 100; tries += 1) {
      if ((await torn.output('n2')).includes('formation.refused')) break
      await sleep(50)
    }
    expect(await torn.output('n2')).toMatch(/give every node the same initial members/)
    for (const name of ['n1', 'n2']) expect((await torn.state(name))?.leader ?? null).toBeNull()
  } finally {
    await torn.close()
  }
})

test('[K1] an emptied directory outside dev mode waits as a stranger and says what to do', async () => {
  const { url, data } = cluster.node('n2')
  const before = (await cluster.state('n2'))!.members.map(({ id, name }) => ({ id, name }))
  await cluster.signal('n2', 'SIGTERM')
  await rename(data, `${data}-kept`)
  await mkdir(data)
  await cluster.start('n2', OUTSIDE_DEV)
  const words = /stranger: .*does not know this empty .*parley members replace n2/
  const text = await readyz(url, 503, words)
  // Nobody takes it in by itself.
  await sleep(1_500)
  const state = (await cluster.state('n1'))!
  expect(state.ready).toBe(true)
  expect(state.members).toMatchObject(before)
  expect(await readyz(url, 503, words)).toBe(text)
  const output = await cluster.output('n2')
  expect(output.match(/"event":"node.stranger"/g)).toHaveLength(1)

  await cluster.kill('n2')
  await rm(data, { recursive: true })
  await rename(`${data}-kept`, data)
  await cluster.start('n2', OUTSIDE_DEV)
  await cluster.healthy()
  await cluster.converged()
  expect((await cluster.state('n2'))!.members).toMatchObject(before)
})

test('[K1] an emptied directory that is told of nobody else founds no second cluster', async () => {
  const { url, data, peerAddress } = cluster.node('n2')
  await cluster.signal('n2', 'SIGTERM')
  await rename(data, `${data}-kept`)
  const alone = ['--initial-members', `n2=${new URL(url).host}/${peerAddress}`]
  await cluster.start('n2', { dev: false, flags: alone })
  expect((await cluster.ended('n2', 30_000)).code).toBe(5)
  expect(await cluster.output('n2')).toMatch(/names n2 alone.*--found-alone.*members replace n2/)

  // Told to, it asks first whether anybody knows it.
  await cluster.start('n2', { dev: false, flags: [...alone, '--found-alone'] })
  await readyz(url, 503, /stranger: .*does not know this empty/)
  expect((await cluster.output('n2')).match(/formation\.written/g)).toHaveLength(1)

  await cluster.kill('n2')
  await rm(data, { recursive: true })
  await rename(`${data}-kept`, data)
  // Once formed, the settings of the first start do not matter.
  await cluster.start('n2', { dev: false, flags: alone })
  await cluster.healthy()
  await cluster.converged()
})

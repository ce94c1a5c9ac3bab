// The SDK in a real browser: its own tests, the contract of its store over IndexedDB, and real nodes.
import { readdirSync } from 'node:fs'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { PageResult } from '../browser/page-vitest.ts'
import { bundlePage, bundleTests } from '../browser/page-bundle.ts'
import { Chromium } from '../browser/chromium.ts'
import { LIVE_CASES } from '../../client/testing/live-cases.ts'
import { lacking } from '../processes/requirements.ts'
import { ProcessCluster } from '../processes/process-cluster.ts'

/** The contract of the store where it is IndexedDB. */
const INDEXED_DB = fileURLToPath(new URL('../browser/indexed-db.page.ts', import.meta.url))
const CLIENT = fileURLToPath(new URL('../../client', import.meta.url))
/** Everything of the SDK's own that is not about directories, compilers or bundlers. */
const FILES = readdirSync(CLIENT, { recursive: true, encoding: 'utf8' }).filter(
  (path) => path.endsWith('.test.ts') && !/(^|\/)(api|bundle|level-store)\.test\.ts$/.test(path),
)

describe.skipIf(lacking('chromium'))('in Chromium', () => {
  let chromium: Chromium
  let cluster: ProcessCluster
  const urls = () => cluster.nodes.map(({ url }) => url)

  beforeAll(async () => {
    chromium = await Chromium.launch()
    cluster = await ProcessCluster.create(3)
    await cluster.startAll({ flags: ['--allowed-origins', chromium.origin] })
    await cluster.healthy()
  })
  afterAll(async () => {
    await chromium.close()
    await cluster.close()
  })

  test.each([...FILES, INDEXED_DB])('%s', async (file) => {
    const script = await bundleTests(resolve(CLIENT, file))
    const [page] = await chromium.open(script, 1)
    const results = (await page.evaluate('runTests()')) as PageResult[]
    expect(results.filter(({ error }) => error !== null)).toEqual([])
    expect(results.length).toBeGreaterThan(0)
    await page.context().close()
  })

  test.each(LIVE_CASES.map(({ title }, at) => [title, at] as const))(
    'real nodes: %s',
    async (title, at) => {
      const [page] = await chromium.open(await livePage(), 1)
      const parameters = [title, urls(), `page${at}`].map((each) => JSON.stringify(each))
      await page.evaluate(`runLiveCase(${parameters.join()})`)
      await page.context().close()
    },
  )

  test('[ST7] two tabs on one store: the second waits for the end of the first', async () => {
    const [first, second] = await chromium.open(await livePage(), 2)
    const tryStore = `tryStore(${JSON.stringify(urls()[0])}, 'tabs', 'tabs')`
    expect(await first.evaluate(tryStore)).toBe('connected')
    expect(await second.evaluate(tryStore)).toBe('STORE_LOCKED')
    await first.close()
    await expect.poll(() => second.evaluate(tryStore)).toBe('connected')
    await second.context().close()
  })

  test('a page of another origin is not let in', async () => {
    const stranger = await Chromium.launch()
    const [page] = await stranger.open(await livePage(), 1)
    const outcome = page.evaluate(`tryStore(${JSON.stringify(urls()[0])}, 'stranger', 'stranger')`)
    expect(await outcome).toBe('TIMEOUT')
    await stranger.close()
  })
})

const livePage = (): Promise<string> =>
  bundlePage(fileURLToPath(new URL('../browser/live.page.ts', import.meta.url)))

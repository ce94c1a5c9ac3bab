import { expect } from 'vitest'
import type { DocumentedHttp } from '../processes/documented-http.ts'
import type { ProcessCluster } from '../processes/process-cluster.ts'
import { bearer } from '../processes/token-of.ts'

/** Every answer of the two routes that needs a majority, from a cluster that checks tokens. */
export async function expectBackupAnswers(
  cluster: ProcessCluster,
  api: DocumentedHttp,
): Promise<void> {
  const call = api.call.bind(api)
  const route = '/v1/cluster/backup'
  const admin = bearer({ sub: 'op', role: 'admin' })
  const { status, lines } = await call('GET', route, { headers: admin, node: 1 })
  expect([status, lines[0]]).toEqual([200, 'parley backup 1'])
  expect(lines.at(-1)).toMatch(/end of backup$/)
  expect(await call('GET', route, { headers: admin, query: '?read=soon' })).toMatchObject({
    ...{ status: 400, json: { code: 'INVALID_MESSAGE' } },
  })
  expect(await call('GET', route, { headers: bearer({ sub: 'eve' }) })).toMatchObject({
    status: 403,
  })
  const nonsense = { authorization: 'Bearer nonsense' }
  expect(await call('GET', route, { headers: nonsense })).toMatchObject({ status: 401 })
  const { clusterId, epoch } = (await cluster.state('n1'))!
  const verified = (body: object) =>
    call('POST', `${route}/verified`, { headers: admin, body: { clusterId, epoch, ...body } })
  const good = { index: 1, takenAtMs: 1_000 }
  expect(await verified(good)).toMatchObject({ status: 200, json: good })
  // An older one changes nothing, one of the future counts as of now.
  expect(await verified({ index: 1, takenAtMs: 999 })).toMatchObject({ status: 200, json: good })
  const { json } = await verified({ index: 2, takenAtMs: 2 ** 52 })
  expect(json['takenAtMs']).toBeLessThanOrEqual(Date.now())
  for (const wrong of [
    { ...good, epoch: '0'.repeat(16) },
    { ...good, index: 2 ** 52 },
    { index: 1, takenAtMs: 'now' },
  ]) {
    expect(await verified(wrong)).toMatchObject({ status: 400 })
  }
}

import { expect } from 'vitest'
import type { DocumentedHttp } from './documented-http.ts'
import { bearer } from './token-of.ts'

/** Without a token of role admin, and where the node that is asked has not come that far. */
export async function onlyForOperators(
  api: DocumentedHttp,
  route: string,
  id: string,
  query = '',
): Promise<void> {
  const as = (headers: Record<string, string>) => api.call('GET', route, { id, query, headers })
  expect(await as(bearer({ sub: 'eve' }))).toMatchObject({ status: 403 })
  expect(await as({ authorization: 'Bearer nonsense' })).toMatchObject({ status: 401 })
  const admin = bearer({ sub: 'op', role: 'admin' })
  const { headers } = await as(admin)
  const epoch = headers.get('parley-mark')!.split('.')[0]!
  const ahead = { ...admin, 'parley-mark': `${epoch}.zzzzzz` }
  expect(await as(ahead)).toMatchObject({ status: 503, json: { code: 'BEHIND' } })
  expect(await as({ ...admin, 'parley-mark': 'x' })).toMatchObject({ status: 400 })
  const wrong = { id, query: '?read=soon', headers: admin }
  expect(await api.call('GET', route, wrong)).toMatchObject({ status: 400 })
}

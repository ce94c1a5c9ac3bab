import { expect } from 'vitest'
import type { DocumentedHttp } from './documented-http.ts'
import { onlyForOperators } from './operators-only.ts'
import { bearer } from './token-of.ts'

/** What three nodes answer an operator who looks at a conversation, and at who is behind: all of it that is documented. */
export async function expectInspectAnswers(api: DocumentedHttp): Promise<void> {
  const call = (...args: Parameters<DocumentedHttp['call']>) => api.call(...args)
  const admin = { headers: bearer({ sub: 'op', role: 'admin' }) }
  const group = {
    query: '?user=ina',
    headers: { 'idempotency-key': 'gi' },
    body: { members: ['jim'], name: 'sss' },
  }
  const { json } = await call('POST', '/v1/conversations', group)
  const { id } = json['conversation'] as { id: string }
  for (let at = 0; at < 5; at += 1) {
    const send = {
      id,
      query: '?user=ina',
      headers: { 'idempotency-key': `i${at}` },
      body: { body: `sss${at}` },
    }
    await call('POST', '/v1/conversations/{id}/messages', send)
  }
  const one = '/v1/cluster/conversations/{id}'
  for (const node of [0, 1, 2]) {
    const told = await call('GET', one, { ...admin, id, node, query: '?read=linearizable' })
    expect(told.json).toMatchObject({
      ...{ conv: id, kind: 'group', head: 6, messages: 5, firstSeq: 1, memberCount: 2, next: null },
      members: [
        { user: 'ina', role: 'owner', present: true, stays: [[1, null]], delivered: 0 },
        { user: 'jim', role: 'member', undelivered: 6, unread: 6 },
      ],
      ...{ node: `n${node + 1}`, applied: expect.any(Number) },
    })
    expect(JSON.stringify(told.json)).not.toContain('sss')
    const newest = `?limit=2&read=linearizable`
    const listed = await call('GET', `${one}/events`, { ...admin, id, node, query: newest })
    expect(listed.json).toMatchObject({
      ...{ conv: id, head: 6, firstSeq: 1, next: 6, hasMore: false },
      items: [
        { seq: 5, bodyBytes: 5 },
        { seq: 6, from: 'ina' },
      ],
    })
    expect(JSON.stringify(listed.json)).not.toContain('sss')
    const from = '?after=1&limit=1&read=linearizable'
    const read = await call('GET', `${one}/messages`, { ...admin, id, node, query: from })
    expect(read.json).toMatchObject({ items: [{ seq: 2, body: 'sss0' }], next: 2, hasMore: true })
  }
  const lag = '/v1/cluster/lag'
  for (const by of ['user', 'device', 'conversation']) {
    const query = `?by=${by}&top=100&read=linearizable`
    const { json: found } = await call('GET', lag, { ...admin, node: 1, query })
    expect(found).toMatchObject({ by, isWhole: true, node: 'n2', looked: found['total'] })
    const rows = found['rows'] as { user: string; conv?: string; behind: number }[]
    // Jim has no device, and lacks all that was said.
    const jim = rows.find(({ user, conv }) =>
      by === 'conversation' ? conv === id : user === 'jim',
    )
    expect(jim?.behind, by).toBe(by === 'device' ? undefined : 6)
    expect(rows.map(({ behind }) => behind)).toEqual(
      rows.map(({ behind }) => behind).toSorted((a, b) => b - a),
    )
  }
  const wrong: [string, string[]][] = [
    [lag, ['by=node', 'top=0', 'top=101', 'seenWithinMs=0', 'by=conversation&seenWithinMs=5']],
    [one, ['membersFrom=-1', 'membersFrom=x']],
    [`${one}/events`, ['after=-1', 'after=7', 'after=x', 'limit=0', 'limit=1001']],
    [`${one}/messages`, ['after=7', 'limit=x']],
  ]
  for (const [route, queries] of wrong) {
    for (const query of queries) {
      const answer = await call('GET', route, { ...admin, id, query: `?${query}` })
      expect(answer, query).toMatchObject({ status: 400, json: { code: 'INVALID_MESSAGE' } })
    }
    if (route === lag) continue
    expect(await call('GET', route, { ...admin, id: 'nowhere' })).toMatchObject({ status: 404 })
  }
  // Each waits as long as a node does for a mark.
  await Promise.all(wrong.map(([route]) => onlyForOperators(api, route, id)))
}

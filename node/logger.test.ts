import { describe, expect, it } from 'vitest'
import { createLogger } from './logger.ts'

describe('logger', () => {
  it('writes one JSON object per line, with level, time, node and event', () => {
    const lines: string[] = []
    const logger = createLogger({ node: 'n1', write: (line) => lines.push(line) })
    logger.info('raft.elected', { term: 3 })
    logger.debug('raft.tick')
    logger.warn('disk.low')
    expect(lines).toHaveLength(2)
    const line = JSON.parse(lines[0]!) as Record<string, unknown>
    expect(line).toMatchObject({ level: 'info', node: 'n1', event: 'raft.elected', term: 3 })
    expect(line['time']).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
    expect(lines[0]!.endsWith('\n')).toBe(true)
  })

  it('shows errors whole and never a body, metadata or a token', () => {
    const lines: string[] = []
    const logger = createLogger({ node: 'n1', level: 'debug', write: (line) => lines.push(line) })
    logger.error('http.failed', { error: new TypeError('broken') })
    logger.debug('frame', { body: 'secret', frame: { body: 'secret', token: 'secret' } })
    expect(JSON.parse(lines[0]!)).toMatchObject({ error: { type: 'TypeError', message: 'broken' } })
    logger.debug('http.call', {
      headers: { authorization: 'hush' },
      call: { authorization: 'hush' },
    })
    logger.debug('keys', {
      privateKey: 'hush',
      key: { secret: 'hush', password: 'hush', cookie: 'hush' },
    })
    expect(lines[1]).not.toContain('secret')
    expect(lines.join()).not.toContain('hush')
  })

  it('can be silent', () => {
    const lines: string[] = []
    createLogger({ node: 'n1', level: 'silent', write: (line) => lines.push(line) }).error('x')
    expect(lines).toEqual([])
  })
})

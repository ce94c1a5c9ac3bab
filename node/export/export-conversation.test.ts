import { describe, expect, test } from 'vitest'
import { decodeFrames, encodeBody, ProtocolError } from '#protocol'
import { groupConversationId } from '../state-machine/conversation-id.ts'
import { create, Machine, message, recall, remove } from '../state-machine/testing.ts'
import { exportConversation } from './export-conversation.ts'

const conv = groupConversationId('alice', 'g')

async function linesOf(machine: Machine, id: string): Promise<string[]> {
  const lines: string[] = []
  for await (const line of exportConversation(machine.machine.reader, id)) lines.push(line)
  return lines
}

describe('an export', () => {
  test('[EX1] is a line for the conversation and one for each event, as on the wire', async () => {
    const m = await Machine.open()
    await m.one(1, create({ user: 'alice', msgId: 'g' }, 'bob'))
    for (let i = 1; i <= 600; i += 1) {
      const body = Buffer.from(encodeBody({ text: `line\n${i}` })).toString('latin1')
      const said = message({ user: 'bob', msgId: `b${i}`, conv })
      await m.one(2, { ...said, body: Buffer.from(body, 'latin1') } as typeof said)
    }
    await m.one(3, recall({ user: 'bob', msgId: 'r', conv, target: 600 }))
    await m.one(4, remove({ op: 'truncate', from: conv, upTo: 2 }))
    const lines = await linesOf(m, conv)
    expect(lines.some((line) => line.includes('\n'))).toBe(false)
    const [head, gap, ...events] = lines.map((line) => JSON.parse(line) as Record<string, unknown>)
    expect(head).toMatchObject({ t: 'conv:A', conversation: { id: conv, head: 602 } })
    expect(gap).toEqual({ gap: { from: 1, to: 2, reason: 'retention' } })
    expect(events.map(({ seq }) => seq)).toEqual(Array.from({ length: 600 }, (_, i) => i + 3))
    expect(events[0]).toMatchObject({ t: 'msg:N', from: 'bob', body: { text: 'line\n2' } })
    expect(events[597]).toMatchObject({ seq: 600, recalled: true })
    expect(events[597]).not.toHaveProperty('body')
    for (const line of lines.filter((each) => !each.startsWith('{"gap"'))) {
      const [frame] = decodeFrames(line, 'parley.v1.json', 'toClient')
      expect(frame).not.toBeInstanceOf(ProtocolError)
    }
  })

  test('[EX2] of no conversation has no line', async () => {
    expect(await linesOf(await Machine.open(), 'g_none')).toEqual([])
  })
})

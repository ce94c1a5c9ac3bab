import { describe, expect, test } from 'vitest'
import { asBuffer } from '../../cluster/as-buffer.ts'
import { FRAME_HEADER_BYTES, readFrame, sealFrame } from '../../cluster/log/frame-codec.ts'
import { runScenario } from './run-seed.ts'
import { drawScenario } from './scenario.ts'
import type { SimDisk } from './sim-disk.ts'
import type { SimNode } from './sim-node.ts'

/** What is done to the first node once it has a log, while it is down. */
async function withFirstNode(breakIt: (node: SimNode) => void) {
  const scenario = drawScenario(3, 3_000, { nodes: 3, faults: [], sdkShare: 0 })
  const { violation } = await runScenario(scenario, {
    prepare: (world) => {
      const [node] = world.nodes
      world.scheduler.after(4_000, null, () => {
        node!.kill()
        breakIt(node!)
        node!.start()
      })
    },
  })
  return violation
}

/** The newest batch of the log gets another payload, and the checksum that fits it. */
function rewriteNewestBatch(platter: SimDisk): void {
  const segments = platter.tree.files().filter(([path]) => path.endsWith('.log'))
  const [, newest] = segments.toSorted(([one], [other]) => (one < other ? 1 : -1))[0]!
  const content = asBuffer(newest.content())
  let offset = 0
  let last = readFrame(content, 0)!
  for (;;) {
    const next = readFrame(content, offset + last.bytes)
    if (next === null) break
    offset += last.bytes
    last = next
  }
  const frame = Buffer.from(content.subarray(offset, offset + last.bytes))
  frame.fill(0xee, FRAME_HEADER_BYTES)
  sealFrame(frame, FRAME_HEADER_BYTES + last.payload.length, last)
  newest.misplace(frame, offset)
}

describe('a node that ends by itself', () => {
  test('[R9] no disk makes a batch pass for whole that nobody wrote, not even a hurt one', async () => {
    const violation = await withFirstNode((node) => {
      node.hurt('damaged')
      rewriteNewestBatch(node.platter)
    })
    expect(violation?.property).toBe('R9')
    expect(violation?.message).toContain('LogFormatError')
  })

  test('[R9] an error that its disk gave to an earlier life is no reason', async () => {
    const violation = await withFirstNode(({ platter }) => {
      platter.errors += 1
      const label = platter.tree.file('/data/node.json')!
      const text = Buffer.from(label.content()).toString()
      label.misplace(Buffer.from(text.replace('n1', 'n2')), 0)
    })
    expect(violation?.message).toMatch(/^R9: n1 stopped for no fault: /)
  })
})

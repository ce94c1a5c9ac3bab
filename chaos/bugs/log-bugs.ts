import type { SeededBug } from './seeded-bug.ts'

export const LOG_BUGS: readonly SeededBug[] = [
  {
    name: 'end-not-rewritten',
    story: 'a start trusts the newest batch, which only the page cache may hold',
    file: 'cluster/log/log-start.ts',
    find: 'return await rewriteEnd(options, recovered)',
    replace:
      'return { ...recovered, batch: recovered.last.batch, chain: (recovered.last as LastFrame & { crc: number }).crc }',
    breaks: ['R4', 'R5', 'R8', 'R9', 'R13', 'R14', 'R18'],
  },
  {
    name: 'end-rewritten-unsynced',
    story: 'a new segment gets its name before its bytes are on the disk',
    file: 'cluster/log/segment-file.ts',
    find: "    await file.sync()\n    failpoints.hit('log.segmentSynced')\n",
    replace: "    failpoints.hit('log.segmentSynced')\n",
    breaks: ['R4', 'R5', 'R8', 'R9', 'R13', 'R14', 'R18'],
  },
  {
    name: 'segment-name-not-synced',
    story: 'a new segment is written to before its name is on the disk',
    file: 'cluster/log/segment-file.ts',
    find: "    await fileSystem.syncDirectory(directory)\n    failpoints.hit('log.segmentMade')\n",
    replace: "    failpoints.hit('log.segmentMade')\n",
    breaks: ['R4', 'R5', 'R8', 'R9', 'R13', 'R14', 'R18'],
  },
  {
    name: 'torn-tail-accepted',
    story: 'a batch counts as whole by its header, whatever its checksum says',
    file: 'cluster/log/frame-codec.ts',
    find: ') !== crc) return null',
    replace: ') === -1) return null',
    breaks: ['R3', 'R5', 'R7', 'R8', 'R9'],
  },
  {
    name: 'seal-not-checked',
    story: 'a damaged batch counts as torn although later ones prove that it was synced',
    file: 'cluster/log/recovery.ts',
    find: '    await this.#checkEnd(opened.slice(used - 1), salt)\n',
    replace: '',
    breaks: ['R2', 'R4', 'R5', 'R8', 'R13', 'R14'],
  },
  {
    name: 'second-write-in-flight',
    story: 'the next batch is written while the one before it is not synced yet',
    file: 'cluster/log/batch-writer.ts',
    find: 'if (this.#writing || this.#error !== null) return\n',
    replace: 'if (this.#error !== null) return\n',
    breaks: ['R4', 'R5', 'R8', 'R9', 'R13', 'R14', 'R18'],
  },
  {
    name: 'failed-sync-retried',
    story: 'a write that failed counts as done',
    file: 'cluster/log/batch-writer.ts',
    find: 'const failure = this.#error ?? error\n',
    replace: 'const failure = this.#error\n',
    breaks: ['R4', 'R5', 'R8', 'R9', 'R13', 'R14', 'R18'],
  },
  {
    name: 'log-forgotten-early',
    story: 'the log is forgotten up to what is applied, not up to what a checkpoint holds',
    file: 'node/state-machine/state-machine.ts',
    find: 'return this.#store.previousCut?.index ?? 0',
    replace: 'return this.appliedIndex',
    breaks: ['R8', 'R9', 'R10'],
  },
]

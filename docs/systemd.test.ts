import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ExitCode } from '../cli/exit-codes.ts'
import { DRAIN_LIMIT_MS } from '../node/drain-limit.ts'

const unit = readFileSync(new URL('systemd/parley.service', import.meta.url), 'utf8')
const valueOf = (key: string) => new RegExp(`^${key}=(.*)$`, 'm').exec(unit)?.[1] ?? ''

test('what cannot mend itself is not started again, and a drain has its time', () => {
  expect(valueOf('RestartPreventExitStatus').split(' ').map(Number)).toEqual([
    ExitCode.unhealthy,
    ExitCode.refused,
    ExitCode.usage,
  ])
  expect(Number(valueOf('TimeoutStopSec')) * 1_000).toBeGreaterThan(DRAIN_LIMIT_MS)
})

test('systemd takes the unit as it is, where there is a systemd', () => {
  const { error } = spawnSync('systemd-analyze', ['--version'])
  if (error !== undefined) return
  const directory = mkdtempSync(join(tmpdir(), 'parley-unit-'))
  try {
    const path = join(directory, 'parley.service')
    // It looks for the programs, and the clone has installed none.
    writeFileSync(path, unit.replace('/usr/bin/parley', process.execPath))
    const { stderr } = spawnSync('systemd-analyze', ['verify', '--recursive-errors=no', path])
    expect(
      stderr
        .toString()
        .split('\n')
        .filter((line) => line.includes('parley.service')),
    ).toEqual([])
  } finally {
    rmSync(directory, { recursive: true })
  }
})

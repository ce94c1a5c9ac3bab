import { readFile } from 'node:fs/promises'

/** The kernel tells these times in hundredths of a second, on every machine it runs on. */
const US_PER_TICK = 10_000

/** What the processes have spent so far, in µs, all their threads together; NaN where no `/proc` is. */
export async function cpuTimeUs(pids: readonly number[]): Promise<number> {
  const times = await Promise.all(
    pids.map(async (pid) => {
      const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
      // The name, in parentheses, may hold spaces: utime and stime are the 12th and 13th after it.
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      return (Number(fields[11]) + Number(fields[12])) * US_PER_TICK
    }),
  )
  return times.reduce((sum, time) => sum + time, 0)
}

import {
  arch,
  availableParallelism,
  cpus,
  freemem,
  loadavg,
  release,
  totalmem,
  uptime,
} from 'node:os'

/** What the machine and this process are like now; nothing of it is a secret. */
export function machineFacts(): Readonly<Record<string, unknown>> {
  const memory = process.memoryUsage()
  return {
    platform: process.platform,
    release: release(),
    arch: arch(),
    cpu: cpus()[0]?.model ?? null,
    cpus: availableParallelism(),
    memoryBytes: totalmem(),
    freeMemoryBytes: freemem(),
    loadAverage: loadavg(),
    machineUptimeSeconds: Math.round(uptime()),
    node: process.versions.node,
    v8: process.versions.v8,
    pid: process.pid,
    processUptimeSeconds: Math.round(process.uptime()),
    rssBytes: memory.rss,
    heapUsedBytes: memory.heapUsed,
    heapTotalBytes: memory.heapTotal,
    externalBytes: memory.external,
    // Names only: values may be secrets.
    execArgv: process.execArgv.map((word) => word.split('=')[0]),
  }
}

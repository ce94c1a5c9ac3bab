import { type ChildProcess, spawn } from 'node:child_process'
import { createWriteStream } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePorts } from '../node/host/testing/free-ports.ts'
import { ALERTS_FILE } from './alert-rules.ts'

export interface Sample {
  readonly metric: Readonly<Record<string, string>>
  /** Time and value, as Prometheus writes them. */
  readonly value: readonly [number, string]
}

/** Prometheus of this machine, which scrapes and evaluates every second. Alerts fire without delay. */
export class RealPrometheus {
  readonly url: string
  readonly #process: ChildProcess

  private constructor(url: string, process: ChildProcess) {
    this.url = url
    this.#process = process
  }

  /** `directory` is there and is removed by whoever made it. */
  static async start(directory: string, targets: readonly string[]): Promise<RealPrometheus> {
    const scrape = {
      job_name: 'parley',
      static_configs: [{ targets, labels: { cluster: 'c' } }],
    }
    const configuration = {
      global: { scrape_interval: '1s', scrape_timeout: '1s', evaluation_interval: '1s' },
      rule_files: ['alerts.yml'],
      scrape_configs: [scrape],
    }
    return RealPrometheus.run(directory, JSON.stringify(configuration))
  }

  /** The same with a whole `prometheus.yml`. */
  static async run(directory: string, configuration: string): Promise<RealPrometheus> {
    const rules = (await readFile(ALERTS_FILE, 'utf8')).replace(/^( +for:) \d+[smh]$/gm, '$1 0s')
    await writeFile(join(directory, 'alerts.yml'), rules)
    const file = join(directory, 'prometheus.yml')
    await writeFile(file, configuration)
    const [port] = await freePorts(1)
    const child = spawn(
      'prometheus',
      [
        `--config.file=${file}`,
        `--storage.tsdb.path=${join(directory, 'data')}`,
        `--web.listen-address=127.0.0.1:${port}`,
      ],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    )
    child.stderr.pipe(createWriteStream(join(directory, 'prometheus.log')))
    const prometheus = new RealPrometheus(`http://127.0.0.1:${port}`, child)
    const deadline = performance.now() + 30_000
    while (!(await prometheus.#isReady())) {
      if (child.exitCode !== null || performance.now() > deadline) {
        await prometheus.close()
        throw new Error(await readFile(join(directory, 'prometheus.log'), 'utf8'))
      }
      await sleep(50)
    }
    return prometheus
  }

  /** @throws Error with what Prometheus says if it does not understand the expression */
  async query(expression: string): Promise<Sample[]> {
    const response = await fetch(`${this.url}/api/v1/query`, {
      method: 'POST',
      body: new URLSearchParams({ query: expression }),
    })
    const answer = (await response.json()) as { data: { result: Sample[] }; error?: string }
    if (answer.error !== undefined) throw new Error(`${expression}: ${answer.error}`)
    return answer.data.result
  }

  async firing(): Promise<string[]> {
    const samples = await this.query('ALERTS{alertstate="firing"}')
    return samples.map(({ metric }) => metric['alertname'] ?? '')
  }

  async close(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return
    const ended = new Promise((resolve) => this.#process.once('exit', resolve))
    this.#process.kill('SIGKILL')
    await ended
  }

  async #isReady(): Promise<boolean> {
    return fetch(`${this.url}/-/ready`).then(
      ({ ok }) => ok,
      () => false,
    )
  }
}

import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { freePorts } from '../../node/host/testing/free-ports.ts'
import { composeCommand } from '../processes/requirements.ts'
import { IMAGE } from './built-image.ts'

const run = promisify(execFile)
const ROOT = fileURLToPath(new URL('../../', import.meta.url))

/** The nodes of docker-compose.yml as it is, under a name and on ports of their own. */
export class ComposeProject {
  readonly name = `parley-test-${randomBytes(4).toString('hex')}`
  readonly urls: readonly string[]
  readonly #environment: NodeJS.ProcessEnv

  private constructor(ports: readonly number[]) {
    this.urls = ports.map((port) => `http://127.0.0.1:${port}`)
    const own = ports.map((port, at) => [`PARLEY_PORT${at + 1}`, String(port)] as const)
    this.#environment = { ...process.env, PARLEY_IMAGE: IMAGE, ...Object.fromEntries(own) }
  }

  /** One that runs; its images are those that are there, as none can be pulled where tests run. */
  static async up(): Promise<ComposeProject> {
    const project = new ComposeProject(await freePorts(3))
    try {
      await project.up()
      return project
    } catch (error) {
      await project.down()
      throw error
    }
  }

  /** What an operator types, without the services whose images are pulled. */
  async up(): Promise<void> {
    await this.compose('up', '-d', '--no-build', 'n1', 'n2', 'n3')
  }

  async compose(...words: readonly string[]): Promise<string> {
    const [command, ...first] = composeCommand()
    const { stdout } = await run(command, [...first, '-p', this.name, ...words], {
      cwd: ROOT,
      env: this.#environment,
    })
    return stdout
  }

  /** In the container of that node, without a terminal. */
  exec(service: string, ...words: readonly string[]): Promise<string> {
    return this.compose('exec', '-T', service, ...words)
  }

  async containerOf(service: string): Promise<string> {
    return (await this.compose('ps', '-q', service)).trim()
  }

  /** With its data, and its secrets. */
  async down(): Promise<void> {
    await this.compose('down', '--volumes', '--timeout', '1')
  }
}

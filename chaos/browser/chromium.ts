import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { chromium, type Browser, type Page } from 'playwright-core'

const EXECUTABLE = '/usr/bin/chromium'

/** A real browser, and pages for it from an origin on loopback. */
export class Chromium {
  /** As nodes have to allow it. */
  readonly origin: string
  readonly #browser: Browser
  readonly #server: Server

  private constructor(browser: Browser, server: Server) {
    this.#browser = browser
    this.#server = server
    this.origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  }

  static async launch(): Promise<Chromium> {
    const server = createServer((_, response) => {
      response.setHeader('content-type', 'text/html')
      response.end('<!doctype html><meta charset="utf-8"><title>Parley</title>')
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const browser = await chromium.launch({ executablePath: EXECUTABLE, args: ['--no-sandbox'] })
    return new Chromium(browser, server)
  }

  /** Tabs of one user: what one stores the others see. Each runs `script`. */
  async open(script: string, tabs: 1): Promise<[Page]>
  async open(script: string, tabs: 2): Promise<[Page, Page]>
  async open(script: string, tabs: number): Promise<Page[]> {
    const context = await this.#browser.newContext()
    const pages: Page[] = []
    for (let tab = 0; tab < tabs; tab++) {
      const page = await context.newPage()
      await page.goto(this.origin)
      await page.addScriptTag({ content: script })
      pages.push(page)
    }
    return pages
  }

  async close(): Promise<void> {
    await this.#browser.close()
    this.#server.close()
  }
}

import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

export const ALERTS_FILE = fileURLToPath(new URL('prometheus/alerts.yml', import.meta.url))

export interface AlertRule {
  readonly name: string
  readonly expression: string
  /** All of it, as it stands in the file. */
  readonly text: string
}

/** The rules of `prometheus/alerts.yml`, in its order. */
export function alertRules(): AlertRule[] {
  const [, ...rules] = readFileSync(ALERTS_FILE, 'utf8').split(/^ +- alert: /m)
  return rules.map((text) => {
    const expression = /expr: >-\n([\s\S]*?)\n +for:/.exec(text)?.[1] ?? ''
    return {
      name: /^\w+/.exec(text)?.[0] ?? '',
      expression: expression.replace(/\s+/g, ' ').trim(),
      text,
    }
  })
}

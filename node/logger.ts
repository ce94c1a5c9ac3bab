import { pino } from 'pino'
import type { Logger } from '#cluster'

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent'

export interface LoggerOptions {
  /** Name of the node: stands in every line. */
  readonly node: string
  /** @default 'info' */
  readonly level?: LogLevel
  /** Where lines go, each ended by a newline. @default standard output */
  readonly write?: (line: string) => void
  /** Hears each line as well, without its newline. @default nobody */
  readonly onLine?: (line: string) => void
}

/** What no line shows, as a field or in one: what users say, and what lets somebody in. */
const HIDDEN = [
  ...['body', 'meta', 'token', 'secret', 'password', 'authorization', 'cookie'],
  ...['privateKey', 'headers'],
]

export interface NodeLogger extends Logger {
  setLevel(level: LogLevel): void
}

/**
 * One JSON object per line: `level` as text, `time` in ISO 8601, `node`, `event` and the fields of
 * the call. Bodies, metadata and tokens never belong into a field; those names are blanked out.
 */
export function createLogger(options: LoggerOptions): NodeLogger {
  const lines = pino(
    {
      level: options.level ?? 'info',
      base: { node: options.node },
      timestamp: pino.stdTimeFunctions.isoTime,
      messageKey: 'event',
      formatters: { level: (label) => ({ level: label }) },
      serializers: { error: pino.stdSerializers.err, cause: pino.stdSerializers.err },
      redact: {
        paths: [...HIDDEN, ...HIDDEN.map((name) => `*.${name}`)],
        censor: '[hidden]',
      },
    },
    destination(options),
  )
  return {
    setLevel: (level) => (lines.level = level),
    debug: (event, fields) => lines.debug(fields ?? {}, event),
    info: (event, fields) => lines.info(fields ?? {}, event),
    warn: (event, fields) => lines.warn(fields ?? {}, event),
    error: (event, fields) => lines.error(fields ?? {}, event),
  }
}

function destination({ write, onLine }: LoggerOptions): { write(line: string): void } {
  const out = write === undefined ? pino.destination({ dest: 1, sync: true }) : { write }
  if (onLine === undefined) return out
  return {
    write: (line) => {
      onLine(line.trimEnd())
      out.write(line)
    },
  }
}

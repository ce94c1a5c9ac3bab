import { isIP } from 'node:net'
import { z } from 'zod'
import { isAddress } from '../../node/admin/member-address.ts'
import { parseMembers } from '../cluster/initial-members.ts'
import type { Declaration } from './declaration.ts'
import { formatBytes, formatDuration, readBytes, readDuration } from './units.ts'

const MAX_TEXT = 4_096
const TEXT = z.string().trim().min(1).max(MAX_TEXT)

/**
 * What a value of the option is read with: text as a flag or variable has it, or what a file of JSON
 * or YAML holds. A fault of it is `custom` where it says more than `expectationOf`.
 */
export function schemaOf(option: Declaration): z.ZodType {
  switch (option.kind) {
    case 'text':
    case 'path':
      return TEXT
    case 'flag':
      return z.union([
        z.boolean(),
        z.stringbool({ truthy: ['true', '1'], falsy: ['false', '0'], case: 'sensitive' }),
      ])
    case 'choice':
      return z.enum(option.choices as [string, ...string[]])
    case 'address':
      return TEXT.refine(isAddress)
    case 'members':
      return listOf(TEXT).transform((parts, context) => {
        try {
          return parseMembers(parts.join(','))
        } catch (error) {
          context.addIssue({ code: 'custom', message: (error as Error).message })
          return z.NEVER
        }
      })
    case 'integer':
      return numberOf(option, z.int(), (text) => (/^-?\d+$/.test(text) ? Number(text) : null))
    case 'number':
      return numberOf(option, z.number(), (text) =>
        /^\d+(\.\d+)?$/.test(text) ? Number(text) : null,
      )
    case 'bytes':
      return numberOf(option, z.int(), readBytes)
    case 'duration':
      return z
        .string()
        .transform((text) => readDuration(text.trim()))
        .pipe(within(option, z.number()))
    case 'url':
      return TEXT.superRefine((text, context) => {
        const fault = urlFault(text, option.protocols ?? [])
        if (fault !== null) context.addIssue({ code: 'custom', message: fault })
      })
    case 'words':
    case 'paths':
      return listOf(TEXT)
    case 'networks':
      return listOf(TEXT.refine(isNetwork))
    case 'peerNames':
      return listOf(TEXT.superRefine(checkPeerName))
    case 'origins':
      return listOf(TEXT.superRefine(checkOrigin))
  }
}

/** What would be right: `a duration from 1ms to 1m, like 250ms, 30s or 5m`. */
export function expectationOf(option: Declaration): string {
  const { kind, choices = [], unit } = option
  switch (kind) {
    case 'text':
      return 'text'
    case 'path':
      return 'a path'
    case 'flag':
      return 'true or false'
    case 'choice':
      return choices.length === 2 ? choices.join(' or ') : `one of ${choices.join(', ')}`
    case 'address':
      return 'host:port'
    case 'members':
      return 'name=host:port/host:peer-port for each member'
    case 'integer':
    case 'number': {
      const range = rangeOf(option, (value) => value.toLocaleString('en'))
      return `${kind === 'integer' ? 'an integer' : 'a number'}${range}${unit === undefined ? '' : ` (${unit})`}`
    }
    case 'bytes':
      return `a size${rangeOf(option, formatBytes)}, like 4096, 512KiB or 64MiB`
    case 'duration':
      return `a duration${rangeOf(option, formatDuration)}, like 250ms, 30s or 5m`
    case 'url':
      return `a URL with ${(option.protocols ?? []).join(' or ')}`
    case 'words':
      return 'words with commas between them, or a list of them'
    case 'networks':
      return 'addresses or networks like 10.0.0.0/8 with commas between them, or a list of them'
    case 'paths':
      return 'paths with commas between them, or a list of them'
    case 'peerNames':
      return 'names with {name} in them, like {name}.chat.example.org, with commas between them, or a list of them'
    case 'origins':
      return 'origins like https://chat.example.org with commas between them, or a list of them'
  }
}

/** Bounds in words, as `expectationOf` and the page of all options have them. */
export function rangeOf({ least, most }: Declaration, format: (value: number) => string): string {
  if (least !== undefined && most !== undefined) return ` from ${format(least)} to ${format(most)}`
  return least === undefined ? '' : ` from ${format(least)} on`
}

function listOf(item: z.ZodString) {
  const split = (text: string) => text.split(',').flatMap((part) => part.trim() || [])
  return z.union([z.string().transform(split), z.array(z.string())]).pipe(z.array(item).max(1_000))
}

function within(option: Declaration, schema: z.ZodNumber): z.ZodNumber {
  const atLeast = option.least === undefined ? schema : schema.min(option.least)
  return option.most === undefined ? atLeast : atLeast.max(option.most)
}

function numberOf(
  option: Declaration,
  schema: z.ZodNumber,
  read: (text: string) => number | null,
): z.ZodType {
  const text = z.string().transform((value) => read(value.trim()))
  return z.union([z.number(), text]).pipe(within(option, schema))
}

/** What a URL may carry is not for logs and lists of processes, so nothing of it is told. */
function urlFault(text: string, protocols: readonly string[]): string | null {
  const url = URL.canParse(text) ? new URL(text) : null
  if (url === null || !protocols.includes(url.protocol)) {
    return `must be a URL with ${protocols.join(' or ')}`
  }
  if (url.username === '' && url.password === '') return null
  return 'must not carry a user or a password: they would stand in lists of processes and in logs'
}

function isNetwork(text: string): boolean {
  const [address = '', bits, more] = text.split('/')
  const family = isIP(address)
  if (family === 0 || more !== undefined) return false
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128))
}

function checkPeerName(text: string, context: z.RefinementCtx): void {
  if (/^[^\s,"{}*]*\{name\}[^\s,"{}*]*$/.test(text)) return
  const message = `takes names with {name} in them once, like {name}.chat.example.org, not ${JSON.stringify(text)}`
  context.addIssue({ code: 'custom', message })
}

/** As browsers send it. */
function checkOrigin(text: string, context: z.RefinementCtx): void {
  const parsed = URL.canParse(text) ? new URL(text).origin : null
  if (parsed === text) return
  const like = parsed === null || parsed === 'null' ? 'https://chat.example.org' : parsed
  const message = `takes origins like ${like}, not ${JSON.stringify(text)}`
  context.addIssue({ code: 'custom', message })
}

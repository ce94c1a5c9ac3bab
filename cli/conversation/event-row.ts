import { bodyText } from '../message-line.ts'
import { plainText } from '../plain-text.ts'

/** An event as operators get it: fields of `msg:N`, with or without its body. */
export interface ListedEvent {
  readonly seq: number
  readonly kind: string
  readonly msgId: string
  readonly from: string
  readonly device: string
  readonly at: number
  readonly body?: unknown
  readonly bodyBytes?: number | null
  readonly replyTo?: number
  readonly target?: number
  readonly edited?: number
  readonly recalled?: boolean
  readonly expired?: boolean
}

export interface ListedGap {
  readonly gap: { readonly from: number; readonly to: number; readonly reason: string }
}

export type ListedItem = ListedEvent | ListedGap

export const EVENT_COLUMNS = ['SEQ', 'AT', 'KIND', 'FROM', 'DEVICE', 'ID', 'BODY', 'NOTE']

/** Of a text on a terminal that much is shown. */
const MOST_CHARACTERS = 1_000

/** One line for people; what is missing says why. */
export function eventRow(item: ListedItem, withBodies: boolean): string[] {
  if ('gap' in item) {
    const { from, to, reason } = item.gap
    const seqs = from === to ? String(from) : `${from}–${to}`
    return [seqs, '-', 'gap', '-', '-', '-', '-', `removed: ${plainText(reason)}`]
  }
  const { seq, at, kind, from, device, msgId, bodyBytes = null } = item
  const said = withBodies ? textOf(item) : bodyBytes === null ? '-' : `${bodyBytes} bytes`
  const names = [kind, from, device, msgId].map((text) => plainText(text))
  return [String(seq), new Date(at).toISOString(), ...names, said, notesOf(item)]
}

const textOf = ({ body }: ListedEvent): string =>
  body === undefined ? '-' : bodyText(body, process.stdout.isTTY ? MOST_CHARACTERS : Infinity)

function notesOf({ replyTo, target, edited, recalled, expired }: ListedEvent): string {
  return [
    ...(replyTo === undefined ? [] : [`answers ${replyTo}`]),
    ...(target === undefined ? [] : [`of ${target}`]),
    ...(edited === undefined ? [] : [`edited by ${edited}`]),
    ...(recalled === true ? ['recalled'] : []),
    ...(expired === true ? ['removed by retention or an erasure'] : []),
  ].join(', ')
}

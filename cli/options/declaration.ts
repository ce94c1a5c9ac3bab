import type { InitialMember } from '../cluster/initial-members.ts'

/** What an option takes, and what its value is to the program: ms, bytes and the like are numbers. */
interface Values {
  readonly text: string
  readonly flag: boolean
  readonly choice: string
  /** `host:port` */
  readonly address: string
  readonly members: readonly InitialMember[]
  readonly integer: number
  /** Like an integer, and may be a fraction. */
  readonly number: number
  /** `64MiB` */
  readonly bytes: number
  /** `30s`, in ms. */
  readonly duration: number
  readonly url: string
  /** With commas, or a list in a file. */
  readonly words: readonly string[]
  readonly origins: readonly string[]
  /** Addresses, and networks like `10.0.0.0/8`. */
  readonly networks: readonly string[]
  /** With `{name}` in the place of the node's. */
  readonly peerNames: readonly string[]
  readonly path: string
  readonly paths: readonly string[]
}

/** One option of `parley node`, with everything that anybody needs to know of it. */
export interface Declaration {
  readonly kind: keyof Values
  /** Under which heading it stands. */
  readonly section: Section
  /** A half sentence in the present, without a full stop. */
  readonly help: string
  /** What stands for its value in the help: `host:port`. */
  readonly placeholder?: string
  /** As one would write it. Without one the option may be left out, or must be given. */
  readonly preset?: string
  readonly isRequired?: boolean
  /** Without a preset: what holds if nobody says anything. */
  readonly otherwise?: string
  /** Bounds of the value, in the unit that the program uses. */
  readonly least?: number
  readonly most?: number
  /** What a number counts: `writes per second`. */
  readonly unit?: string
  readonly choices?: readonly string[]
  /** Of a URL, with the colon. */
  readonly protocols?: readonly string[]
  /** Read again without a restart. @default false */
  readonly reload?: boolean
  /** What the named files hold is secret: not everybody may write or read them. @default false */
  readonly isSecret?: boolean
}

export const SECTIONS = [
  'The node',
  'Who may connect',
  'Tokens',
  'Certificates and secrets',
  'How much',
  'Connections',
  'Moderation',
  'Push to devices that are away',
  'Disk and log',
  'Drills',
] as const
export type Section = (typeof SECTIONS)[number]

/** What the program gets for an option. */
export type ValueOf<D extends Declaration> =
  | (D extends { readonly choices: readonly (infer C)[] } ? C : Values[D['kind']])
  | (D extends { readonly preset: string } | { readonly isRequired: true } ? never : undefined)

const words = (key: string) => key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)

/** `userRate` → `--user-rate` */
export const flagOf = (key: string): string => `--${words(key)}`

/** `userRate` → `PARLEY_USER_RATE` */
export const variableOf = (key: string): string =>
  `PARLEY_${words(key).replaceAll('-', '_').toUpperCase()}`

import { setTimeout as sleep } from 'node:timers/promises'
import { type Command, Option } from 'commander'
import type { MembersView, MemberView } from '#node'
import { bytesText } from '../byte-size.ts'
import { MembersClient } from '../cluster/members-client.ts'
import { preflightText } from '../cluster/preflight-text.ts'
import { urlOption } from '../cluster/find-urls.ts'
import type { OperatorFlags } from '../cluster/operator-flags.ts'
import { durationOption, longDuration } from '../duration.ts'
import { CliError, ExitCode } from '../exit-codes.ts'
import { note, print, printJson, table } from '../output.ts'
import { memberFault } from '../../node/admin/member-address.ts'
import { tokenFileOption } from '../token-file.ts'

interface MembersFlags extends OperatorFlags {
  readonly json?: boolean
}
interface ChangeFlags extends MembersFlags {
  readonly dryRun?: boolean
  readonly ifMatch?: string
  readonly wait: boolean
}
interface AddFlags extends ChangeFlags {
  readonly peer: string
  readonly client: string
}
interface ReplaceFlags extends ChangeFlags {
  readonly with?: string
  readonly peer?: string
  readonly client?: string
}

const HELP = `
Examples:
  parley members check n2                     may I stop n2? (exit code 0: yes, 5: no)
  parley members add n4 --peer 10.0.0.4:7500 --client http://10.0.0.4:7400
  parley members remove n1
  parley members replace n3                   n3 lost its disk and runs with an empty one
  parley members replace n3 --with n4 --peer 10.0.0.4:7500 --client http://10.0.0.4:7400

Any node takes them. Cut off, the same command goes on.`

/** A learner takes in something new all the time, or has caught up. */
const STUCK_MS = 30_000

const ACTIONS = ['stop', 'restart', 'drain', 'transfer', 'remove', 'replace']

export function configure(command: Command): void {
  command.addHelpText('after', HELP)
  const sub = (words: string, about: string, preset: string, isDefault = false): Command =>
    command
      .command(words, { isDefault })
      .description(about)
      .addOption(urlOption())
      .addOption(tokenFileOption())
      .addOption(durationOption('--timeout', 'how long it may take', preset))
      .option('--json', 'one JSON document')
  const changing = (made: Command): Command =>
    made
      .option('--dry-run', 'say what speaks against it, and stop there')
      .option('--if-match <configuration>', 'only if the members are still those')
      .option('--no-wait', 'do not wait until it is done')
  const reached = (made: Command, isRequired: boolean): Command =>
    made
      .addOption(
        new Option(
          '--peer <host:port>',
          'where the other nodes reach the new one',
        ).makeOptionMandatory(isRequired),
      )
      .addOption(
        new Option('--client <url>', 'where clients reach the new one').makeOptionMandatory(
          isRequired,
        ),
      )
  sub('list', 'show the members and how far new ones have come', '15s', true)
    .option('--watch', 'again every second, until Ctrl-C')
    .action(list)
  sub('check <node>', 'say whether a node may be stopped now, or what else', '15s')
    .addOption(
      new Option('--action <action>', 'what is to be done').choices(ACTIONS).default('stop'),
    )
    .action(check)
  reached(changing(sub('add <node>', 'take a new node in', '30m')), true).action(add)
  changing(sub('remove <node>', 'take a member out', '5m')).action(remove)
  reached(
    changing(sub('replace <node>', 'put an empty node in the place of a member', '30m')),
    false,
  )
    .option('--with <node>', 'a new node, under a name of its own')
    .action(replace)
}

async function list(flags: MembersFlags & { readonly watch?: boolean }): Promise<void> {
  for (;;) {
    const view = await new MembersClient(flags).members()
    show(view, flags)
    if (flags.watch !== true) return
    await sleep(1_000)
  }
}

async function check(
  node: string,
  flags: MembersFlags & { readonly action: string },
): Promise<void> {
  const judged = await new MembersClient(flags).preflight(flags.action, node)
  if (flags.json === true) printJson({ schema: 1, ...judged })
  else print(preflightText(judged))
  if (judged.verdict === 'refuse') throw new CliError(ExitCode.refused)
}

async function add(node: string, flags: AddFlags): Promise<void> {
  const { peer, client: url } = flags
  checkMember(node, peer, url)
  const client = new MembersClient(flags)
  if (!(await isLetIn(client, 'add', node, flags, { peer, url }))) return
  await addAndWait(client, node, flags)
}

async function remove(node: string, flags: ChangeFlags): Promise<void> {
  const client = new MembersClient(flags)
  const isMember = (await client.members()).members.some(({ name }) => name === node)
  if (isMember && !(await isLetIn(client, 'remove', node, flags))) return
  finish(
    await removeAndWait(client, node, flags),
    flags,
    `${node} is no member any more; its directory may be deleted`,
  )
}

async function replace(node: string, flags: ReplaceFlags): Promise<void> {
  const client = new MembersClient(flags)
  const { with: other, peer, client: url } = flags
  if (other === undefined) {
    if (!(await isLetIn(client, 'replace', node, flags))) return
    const before = idOf(await client.members(), node)
    const path = `/v1/cluster/members/${encodeURIComponent(node)}/replacement`
    const ask = () => client.post(path, {}, flags.ifMatch)
    if (!flags.wait) return finish(await ask(), flags, `${node} is asked for`)
    const isDone = (view: MembersView) => {
      const now = view.members.filter(({ name }) => name === node)
      return (
        now.length === 1 && now[0]!.role === 'voter' && now[0]!.id !== before && !view.isChanging
      )
    }
    return finish(
      await client.change(ask, isDone, { name: node }),
      flags,
      `${node} votes again, with a new directory`,
    )
  }
  if (peer === undefined || url === undefined) {
    throw new CliError(
      ExitCode.usage,
      `--with ${other} needs --peer and --client: where ${other} is reached`,
    )
  }
  checkMember(other, peer, url)
  const { members } = await client.members()
  const isThere = members.some(({ name }) => name === node)
  if (isThere && !(await isLetIn(client, 'replace', node, flags, { instead: other }))) return
  await addAndWait(client, other, { ...flags, peer, client: url, wait: true }, node)
  finish(await removeAndWait(client, node, flags), flags, `${other} votes in the place of ${node}`)
}

/** @throws CliError of what a node would refuse as well */
function checkMember(name: string, peer: string, url: string): void {
  const fault = memberFault({ name, peer, url })
  if (fault !== null) throw new CliError(ExitCode.usage, `${name}: ${fault}`)
}

async function addAndWait(
  client: MembersClient,
  node: string,
  flags: AddFlags,
  instead?: string,
): Promise<void> {
  const { peer, client: url } = flags
  const body = { name: node, peer, url, ...(instead === undefined ? {} : { instead }) }
  const ask = () => client.post('/v1/cluster/members', body, flags.ifMatch)
  const isDone = (view: MembersView) =>
    view.members.some(({ name, role }) => name === node && role === 'voter') && !view.isChanging
  const first = await ask()
  if (!isDone(first) && !first.members.some(({ name }) => name === node)) {
    note(`parley: start ${node}, if it does not run yet, with an empty directory:`)
    note(
      `  parley node --name ${node} --join --listen ${new URL(url).host} --peer-listen ${peer} --data DIRECTORY`,
    )
  }
  if (!flags.wait) return finish(first, flags, `${node} is asked for`)
  const view = await client.change(ask, isDone, { name: node })
  if (instead === undefined) finish(view, flags, `${node} votes`)
}

function removeAndWait(
  client: MembersClient,
  node: string,
  flags: ChangeFlags,
): Promise<MembersView> {
  // Of other members than those that were looked at nothing is removed; later ones are the change's own.
  let fence = flags.ifMatch
  const ask = async () => {
    const view = await client.remove(node, fence)
    fence = undefined
    return view
  }
  if (!flags.wait) return ask()
  const isDone = ({ members, isChanging }: MembersView) =>
    !isChanging && members.every(({ name }) => name !== node)
  return client.change(ask, isDone, { name: node, isLeaving: true })
}

/** Prints what speaks for and against it. False: the caller wanted to know no more. */
async function isLetIn(
  client: MembersClient,
  action: string,
  node: string,
  flags: ChangeFlags,
  more: Record<string, string> = {},
): Promise<boolean> {
  const judged = await client.preflight(action, node, more)
  const isLast = flags.dryRun === true || judged.verdict === 'refuse'
  if (flags.json === true && isLast) printJson({ schema: 1, preflight: judged })
  else if (flags.json !== true) (isLast ? print : note)(preflightText(judged))
  if (judged.verdict === 'refuse') throw new CliError(ExitCode.refused)
  return flags.dryRun !== true
}

function finish(view: MembersView, flags: MembersFlags, sentence: string): void {
  if (flags.json === true) printJson({ schema: 1, ...view })
  else print(sentence)
}

function show(view: MembersView, flags: MembersFlags): void {
  if (flags.json === true) {
    printJson({ schema: 1, ...view })
    return
  }
  const change = view.isChanging ? ' · a change is being committed' : ''
  const asked = view.asked.length === 0 ? '' : ` · waiting for ${view.asked.join(', ')}`
  print(
    `leader ${view.leader} · term ${view.term} · configuration ${view.configuration}${change}${asked}`,
  )
  print('')
  const head = ['NAME', 'ROLE', 'STATE', 'PHASE', 'LAG', 'CONTACT', 'PEER', 'URL']
  print(table(head, view.members.map(row)))
  const stuck = view.members.flatMap(stuckText)
  if (stuck.length > 0) print(`\n${stuck.join('\n')}`)
}

/** What an operator does about a member that is being taken in and does not get on. */
function stuckText({ name, role, phase, peer, stuckMs }: MemberView): string[] {
  const isSilent = phase === 'unreachable'
  if (role !== 'learner' || (!isSilent && stuckMs < STUCK_MS)) return []
  const why = isSilent
    ? `${name} does not answer at ${peer}: see whether it runs`
    : `${name} has taken in nothing for ${longDuration(stuckMs)}: see its log`
  return [`next: ${why}; parley members remove ${name} gives it up`]
}

function row(member: MemberView): string[] {
  const { name, role, state, phase, lag, contactMs, peer, url, snapshotBytes } = member
  const taken = snapshotBytes === null ? '' : ` ${bytesText(snapshotBytes)}`
  const contact = contactMs === null ? '-' : longDuration(contactMs)
  return [
    name,
    role,
    state,
    `${phase}${taken}`,
    lag === null ? '-' : String(lag),
    contact,
    peer,
    url,
  ]
}

function idOf(view: MembersView, node: string): string | null {
  return view.members.find(({ name, role }) => name === node && role === 'voter')?.id ?? null
}

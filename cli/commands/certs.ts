import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { type Command, InvalidArgumentError } from 'commander'
import {
  authorityOf,
  type CertificatePair,
  makePair,
  pairOf,
  readCertificate,
  renewPair,
  revoke,
  writeNew,
} from '../certs/certificate-files.ts'
import { describeCertificate, type DescribedCertificate } from '../certs/describe-certificate.ts'
import { CliError, ExitCode } from '../exit-codes.ts'
import { note, print, printJson, table } from '../output.ts'

interface CommonFlags {
  readonly dir: string
  readonly json?: boolean
}

interface MakeFlags extends CommonFlags {
  readonly days: number
}

const DAY_MS = 86_400_000

const HELP = `
Examples:
  parley certs init                            then keep certs/ca.key away from the nodes
  parley certs node n1 --host 10.0.0.1 chat-1.example
  parley certs show certs/*.crt
  parley certs renew n1
  parley certs revoke n3                       then ca.crl as --peer-crl-file of every node
  parley certs secret cluster-secret           in place of certificates between nodes`

export function configure(command: Command): void {
  command.addHelpText('after', HELP)
  const make = (usage: string, description: string, days: string) =>
    command
      .command(usage)
      .description(description)
      .option('--dir <directory>', 'where the authority and the certificates are', 'certs')
      .option('--days <days>', 'how long it is good', parseDays, parseDays(days))
      .option('--json', 'print one JSON document')
  make('init', 'make an authority: ca.crt, and ca.key, which makes certificates', '3650')
    .option('--name <text>', 'what it calls itself', parseCommonName, 'parley CA')
    .action(init)
  make('node <name>', 'make the certificate of a node, for its peers and its clients', '365')
    .option('--host <hosts...>', 'host names and addresses under which clients reach it')
    .option(
      '--cluster <name>',
      'good in this cluster alone, where the authority has more than one',
      parseCluster,
    )
    .action(node)
  make('renew <name>', 'make a new certificate in place of one that ends', '365')
    .option('--new-key', 'with a new key as well')
    .action(renew)
  make('revoke [names...]', 'take certificates back: what ca.crl lists makes no peer', '3650')
    .option(
      '--serial <numbers...>',
      'serial numbers of certificates whose files are gone',
      parseSerial,
    )
    .action(revokeAll)
  command
    .command('show <files...>')
    .description('say whose certificates these are, and until when they are good')
    .option('--json', 'print one JSON document')
    .action(show)
  command
    .command('secret <file>')
    .description('make a secret that the nodes of a cluster share, in place of certificates')
    .action(secret)
}

async function init(flags: MakeFlags & { readonly name: string }): Promise<void> {
  const files = authorityOf(flags.dir)
  await makePair(
    files,
    { commonName: flags.name, names: [], lifetimeMs: flags.days * DAY_MS },
    null,
  )
  report(files, flags)
  if (flags.json === true) return
  note(`parley: ${files.keyFile} makes certificates: keep it away from the nodes`)
  note(`parley: next, for each node: parley certs node NAME --host HOST --dir ${flags.dir}`)
}

async function node(
  name: string,
  flags: MakeFlags & { readonly host?: readonly string[]; readonly cluster?: string },
): Promise<void> {
  const commonName = parseName(name)
  const hosts = (flags.host ?? []).map(parseHost)
  const files = pairOf(flags.dir, commonName)
  const scope = flags.cluster === undefined ? 'parley://' : `parley://${flags.cluster}/`
  const names = [`${scope}${commonName}`, ...hosts]
  const subject = { commonName, names, lifetimeMs: flags.days * DAY_MS }
  await makePair(files, subject, authorityOf(flags.dir))
  report(files, flags)
  if (flags.json === true) return
  const { certFile, keyFile } = files
  const ca = authorityOf(flags.dir).certFile
  const peers = `--peer-cert-file ${certFile} --peer-key-file ${keyFile} --peer-ca-file ${ca}`
  const only = flags.cluster === undefined ? '' : ` --peer-names '${scope}{name}'`
  note(`parley: for its peers: parley node ${peers}${only} …`)
  note(`parley: for clients:   --tls-cert-file ${certFile} --tls-key-file ${keyFile}`)
  if (hosts.length === 0)
    note('parley: clients need --host: they compare it with where they connect')
}

async function renew(
  name: string,
  flags: MakeFlags & { readonly newKey?: boolean },
): Promise<void> {
  const files = pairOf(flags.dir, parseName(name))
  const authority = authorityOf(flags.dir)
  await renewPair(files, flags.days * DAY_MS, { authority, isNewKey: flags.newKey === true })
  report(files, flags)
  if (flags.json !== true)
    note('parley: a running node takes it within half a minute, without a restart')
}

async function revokeAll(
  names: readonly string[],
  flags: MakeFlags & { readonly serial?: readonly string[] },
): Promise<void> {
  const authority = authorityOf(flags.dir)
  const above = readCertificate(authority.certFile)
  const serials = names.map((name) => {
    const { certFile } = pairOf(flags.dir, parseName(name))
    const certificate = readCertificate(certFile)
    if (certificate.checkIssued(above)) return certificate.serialNumber
    throw new CliError(
      ExitCode.refused,
      `${certFile} is not by ${authority.certFile}: give --dir with the authority that made it`,
    )
  })
  const file = join(flags.dir, 'ca.crl')
  const lifetimeMs = flags.days * DAY_MS
  const all = [...serials, ...(flags.serial ?? [])]
  const listed = await revoke(file, all, { authority, lifetimeMs })
  if (flags.json === true) {
    printJson({ schema: 1, file, revoked: all, listed })
    return
  }
  note(`parley: ${file} lists ${listed} revoked ${listed === 1 ? 'certificate' : 'certificates'}`)
  note(`parley: put it in place of --peer-crl-file on every node; each takes it without a restart`)
}

function report(files: CertificatePair, { json }: CommonFlags): void {
  const described = describeCertificate(files.certFile, readCertificate(files.certFile), Date.now())
  if (json === true) printJson({ schema: 1, ...files, certificate: described })
  else printTable([described])
}

function show(paths: readonly string[], { json }: { readonly json?: boolean }): void {
  const wallMs = Date.now()
  const described = paths.map((path) => describeCertificate(path, readCertificate(path), wallMs))
  if (json === true) printJson({ schema: 1, certificates: described })
  else printTable(described)
  if (described.every(({ state }) => state === 'good')) return
  throw new CliError(ExitCode.unhealthy, json === true ? '' : 'renew with: parley certs renew NAME')
}

function printTable(certificates: readonly DescribedCertificate[]): void {
  const rows = certificates.map(({ file, subject, names, state, notAfter, days, issuer }) => [
    file,
    subject,
    names.join(' ') || (subject === issuer ? '(authority)' : '-'),
    state,
    notAfter.slice(0, 10),
    String(days),
    issuer,
  ])
  print(table(['FILE', 'SUBJECT', 'NAMES', 'STATE', 'UNTIL', 'DAYS', 'BY'], rows))
}

function secret(path: string): void {
  writeNew(path, `${randomBytes(32).toString('base64url')}\n`, 0o600)
  note(`parley: ${path} is the secret: start every node with --cluster-secret-file ${path}`)
}

function parseDays(text: string): number {
  const days = Number(text)
  if (days > 0 && days <= 36_500) return days
  throw new InvalidArgumentError('It is a number of days, up to 36500.')
}

function parseCommonName(text: string): string {
  if (/^[ -~]{1,64}$/.test(text)) return text
  throw new InvalidArgumentError('It has 1 to 64 printable characters.')
}

function parseCluster(text: string): string {
  if (/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/.test(text)) return text
  throw new InvalidArgumentError('It has up to 63 letters, digits, dots, hyphens and underscores.')
}

/** As "parley certs show --json" and OpenSSL have it. */
function parseSerial(text: string, before: readonly string[] = []): string[] {
  const digits = text.replaceAll(':', '').toUpperCase()
  if (/^(?:[0-9A-F]{2}){1,20}$/.test(digits)) return [...before, digits.replace(/^(00)+(?=.)/, '')]
  throw new InvalidArgumentError('It is a serial number in hexadecimal digits.')
}

function parseName(text: string): string {
  if (/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/.test(text) && text !== 'ca') return text
  throw new CliError(
    ExitCode.usage,
    `"${text}" is not a node's name: up to 63 letters, digits, dots, hyphens, underscores, and not ca`,
  )
}

function parseHost(text: string): string {
  if (/^(?:[A-Za-z0-9*](?:[A-Za-z0-9.-]{0,252})|[0-9A-Fa-f:.]{2,45})$/.test(text)) return text
  throw new CliError(ExitCode.usage, `--host takes host names and IP addresses, not "${text}"`)
}

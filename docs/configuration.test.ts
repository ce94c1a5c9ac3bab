import { expect, test } from 'vitest'
import { configurationPage } from './configuration-page.ts'

const INTRODUCTION = `# Configuration

Everything that \`parley node\` takes. Each option has a name, which a configuration file uses, a flag and an environment variable. A flag
wins over the environment, the environment over the file, the file over the default. An empty variable counts as none.

\`\`\`yaml
# node.yaml, JSON would do as well: parley node --config node.yaml
name: n1
listen: 0.0.0.0:7400
peerListen: 10.0.0.1:7500
data: /var/lib/parley
initialMembers:
  - n1=chat1.example.org:7400/10.0.0.1:7500
  - n2=chat2.example.org:7400/10.0.0.2:7500
  - n3=chat3.example.org:7400/10.0.0.3:7500
tokenPublicKeyFile: /etc/parley/cluster-key.pub
allowedHosts: [chat.example.org]
\`\`\`

\`parley node --check\` says what is wrong and starts nothing: everything at once, with where each value came from and what would be right.
What no option is called (a flag, a name in the file, a variable that begins with \`PARLEY_\`) is wrong too, so that a typing error
cannot pass for a limit that is set. \`parley node --print-config\` prints what a node would run with, as a file; with \`--origin\` as a table
that says where each value comes from.

Secrets come from files alone: flags are shown to everybody who lists processes, variables to child processes and crash reports. A file of a
secret that others may write is refused, since whoever writes it decides who gets in; one that everybody may read gets a warning alone, for that
is how containers are given theirs. No line of the log, no metric and no printed configuration shows one, nor what stands behind the \`?\` of a URL.

## Without a restart

\`SIGHUP\`, or \`parley reload NODE\`, has a node read its file, and the files of keys that the file names, again. If anything is wrong with what is there, nothing changes:
the log says \`config.refused\` with each fault, and \`parley_config_refused\` is 1. Else everything marked _reload_ below is in force at once, for what
comes from then on: connections stay open, writes that wait for the moderation hook get the verdict of the hook that was asked. The log says \`config.reloaded\`
with what changed, and with what was written that needs a restart. Published keys are fetched again. Flags and variables stay what they were
at the start, and go on winning over the file. A node that was started in a terminal takes the hang-up of that for the end, and drains.

What every node of a cluster decides by (windows, sizes of groups, limits of apply) is not here: it is in the log, the same everywhere, and
changed by \`parley settings\`.`

test('the page names every option, and no other', async () => {
  // When it differs on purpose: vitest run docs/configuration.test.ts -u
  await expect(await configurationPage(INTRODUCTION)).toMatchFileSnapshot('configuration.md')
})

import { format } from 'prettier'
import { type Declaration, flagOf, SECTIONS, variableOf } from '../cli/options/declaration.ts'
import { declarationOf, NODE_OPTION_NAMES } from '../cli/options/node-options.ts'
import { expectationOf } from '../cli/options/option-schema.ts'

/** The page of all options of `parley node`, from their declarations. */
export async function configurationPage(introduction: string): Promise<string> {
  const sections = SECTIONS.map((section) => {
    const rows = NODE_OPTION_NAMES.filter((name) => declarationOf(name).section === section).map(
      (name) => row(name, declarationOf(name)),
    )
    const head = '| option | takes | default | reload | meaning |\n|---|---|---|---|---|'
    return `## ${section}\n\n${head}\n${rows.join('\n')}\n`
  })
  const text = `${introduction}\n\n${sections.join('\n')}`
  return format(text, { parser: 'markdown', proseWrap: 'preserve' })
}

function row(name: string, declaration: Declaration): string {
  const { help, isRequired, isSecret, preset, otherwise, reload } = declaration
  const standard = preset === undefined ? (otherwise ?? '') : `\`${preset}\``
  const cells = [
    [name, flagOf(name), variableOf(name)].map((each) => `\`${each}\``).join('<br>'),
    expectationOf(declaration),
    isRequired === true ? '_must be given_' : standard,
    reload === true ? 'yes' : '',
    `${help}${isSecret === true ? '; a secret' : ''}`,
  ]
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
}

import type { HttpResponse } from '../gateway/client-listener.ts'
import type { GatewayContext } from '../gateway/gateway-context.ts'
import { jsonOf } from '../http/json-call.ts'
import type { HttpCall, JsonSchema, Route } from '../http/route.ts'
import { CommandKind, SYSTEM_HEAD } from '../state-machine/commands.ts'
import {
  SETTING_NAMES,
  type SettingName,
  SETTINGS,
  type SettingsChanges,
  settingsFault,
} from '../state-machine/settings.ts'
import { ADMIN_PROBLEMS, BODY_PROBLEMS, invalid, jsonAnswer, submit } from './operator-call.ts'
import { problemOf } from '../gateway/problem.ts'

const SETTINGS_SCHEMA: JsonSchema = {
  type: 'object',
  required: ['settings'],
  properties: { settings: { type: 'array', items: { type: 'object' } } },
}

/** What an operator changes for all nodes at once, by commands in the log. */
export const SETTINGS_ROUTES: readonly Route[] = [
  {
    method: 'GET',
    path: '/v1/cluster/settings',
    doc: {
      operationId: 'settings',
      summary: 'What every node decides by: each setting with its bounds',
      role: 'admin',
      answers: { 200: { description: 'As this node has applied it.', schema: SETTINGS_SCHEMA } },
      problems: ADMIN_PROBLEMS,
    },
    answer: ({ context }) => settingsAnswer(context),
  },
  {
    method: 'POST',
    path: '/v1/cluster/settings',
    doc: {
      operationId: 'changeSettings',
      summary: 'Changes settings on every node; what is not named stays as it is',
      role: 'admin',
      body: {
        description: 'Name and value of each.',
        jsonOnly: true,
        schema: {
          type: 'object',
          minProperties: 1,
          additionalProperties: false,
          properties: Object.fromEntries(
            SETTING_NAMES.map((name) => {
              const { least: minimum, most: maximum, about } = SETTINGS[name]
              return [name, { type: 'integer', minimum, maximum, description: about }]
            }),
          ),
        },
      },
      answers: { 200: { description: 'All of them, as they are now.', schema: SETTINGS_SCHEMA } },
      problems: BODY_PROBLEMS,
    },
    answer: changeSettings,
  },
]

async function changeSettings(call: HttpCall): Promise<HttpResponse> {
  const fields = await jsonOf(call)
  if ('refusal' in fields) return fields.refusal
  const unknown = Object.keys(fields.json).filter((name) => !isSettingName(name))
  if (unknown.length > 0) {
    const known = SETTING_NAMES.join(', ')
    return invalid(`there is no setting ${unknown[0]}; there are ${known}`)
  }
  const changes = fields.json as SettingsChanges
  const fault = settingsFault(changes)
  if (fault !== null) return invalid(fault)
  const { context } = call
  const refusal = await submit({ kind: CommandKind.settings, ...SYSTEM_HEAD, changes }, context)
  return refusal === null ? settingsAnswer(context) : problemOf(refusal)
}

function settingsAnswer(context: GatewayContext): HttpResponse {
  const current = context.backend.state.settings
  const settings = SETTING_NAMES.map((name) => {
    const { least, most, preset, about } = SETTINGS[name]
    return { name, value: current[name], preset, least, most, about }
  })
  return jsonAnswer({ settings }, context)
}

const isSettingName = (name: string): name is SettingName => Object.hasOwn(SETTINGS, name)

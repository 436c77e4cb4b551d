// Routes of the account: SSH keys, network volumes, and the lists that are always empty here.
import { changeVolume, createVolume, deleteVolume } from '../volumes.ts'
import { checked, json, notFound, nothing, problem, type Route } from './answer.ts'
import { createVolume as createVolumeBody, sshKeys, updateVolume } from './requests.ts'

export const getSshKeys: Route = ({ keeper }) => json({ keys: keeper.cloud().sshKeys })
/** Replaces the whole set, as the live route does. */
export const putSshKeys: Route = ({ keeper, body }) => {
  const parsed = checked(sshKeys, body)
  if ('answer' in parsed) return parsed.answer
  const { keys } = parsed.value
  keeper.move(cloud => [{ ...cloud, sshKeys: keys }, undefined])
  return json({ keys })
}

export const getVolumes: Route = ({ keeper }) => json({ networkVolumes: Object.values(keeper.cloud().volumes) })
export const getVolume: Route = ({ keeper, params: [id = ''] }) => {
  const { volumes } = keeper.cloud()
  return Object.hasOwn(volumes, id) ? json(volumes[id]) : notFound
}
export const postVolume: Route = ({ keeper, body }) => {
  const parsed = checked(createVolumeBody, body)
  if ('answer' in parsed) return parsed.answer
  const { type = 'STANDARD', ...rest } = parsed.value
  const outcome = keeper.move((cloud, nowMs) => createVolume(cloud, nowMs, { ...rest, type }))
  return outcome.kind === 'refused' ? problem(outcome.status, outcome.detail) : json(outcome.volume, 201)
}
export const patchVolume: Route = ({ keeper, body, params: [id = ''] }) => {
  const parsed = checked(updateVolume, body)
  if ('answer' in parsed) return parsed.answer
  const { name, size } = parsed.value
  if (name === undefined && size === undefined)
    return problem(422, 'Request validation failed.', ['$: minProperties: got 0, want 1'])
  const changes = { ...(name === undefined ? {} : { name }), ...(size === undefined ? {} : { size }) }
  const outcome = keeper.move((cloud, nowMs) => changeVolume(cloud, nowMs, id, changes))
  return outcome.kind === 'refused' ? problem(outcome.status, outcome.detail) : json(outcome.volume)
}
export const removeVolume: Route = ({ keeper, params: [id = ''] }) => {
  const outcome = keeper.move((cloud, nowMs) => deleteVolume(cloud, nowMs, id))
  return outcome.kind === 'refused' ? problem(outcome.status, outcome.detail) : nothing
}

export const emptyList =
  (envelope: 'templates' | 'registries' | 'delegations'): Route =>
  () =>
    json({ [envelope]: [] })
export const nowhere: Route = () => notFound

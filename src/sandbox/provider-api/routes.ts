// The table of routes below /v2: path, methods, and which of them the key inside a pod may use for its own pod.
import {
  emptyList,
  getSshKeys,
  getVolume,
  getVolumes,
  nowhere,
  patchVolume,
  postVolume,
  putSshKeys,
  removeVolume,
} from './account.ts'
import type { Route } from './answer.ts'
import { getBilling, getPodBilling } from './billing.ts'
import { getCpu, getCpus, getDataCenter, getDataCenters, getGpu, getGpus } from './catalog.ts'
import { getLogs } from './pod-logs.ts'
import { deletePod, getPod, getPods, patchPod, postAction, postPod } from './pods.ts'

type Entry = { path: RegExp; methods: Record<string, Route> }
const entry = (path: string, methods: Record<string, Route>): Entry => ({
  path: new RegExp(`^${path.replaceAll('{id}', '([^/]+)')}/?$`),
  methods,
})

export const routes: Entry[] = [
  entry('/pods', { GET: getPods, POST: postPod }),
  entry('/pods/{id}', { GET: getPod, PATCH: patchPod, DELETE: deletePod }),
  entry('/pods/{id}/action', { POST: postAction }),
  entry('/pods/{id}/logs', { GET: getLogs }),
  entry('/catalog/gpus', { GET: getGpus }),
  entry('/catalog/gpus/{id}', { GET: getGpu }),
  entry('/catalog/cpus', { GET: getCpus }),
  entry('/catalog/cpus/{id}', { GET: getCpu }),
  entry('/catalog/datacenters', { GET: getDataCenters }),
  entry('/catalog/datacenters/{id}', { GET: getDataCenter }),
  entry('/catalog/templates', { GET: emptyList('templates') }),
  entry('/account/ssh-keys', { GET: getSshKeys, PUT: putSshKeys }),
  entry('/network-volumes', { GET: getVolumes, POST: postVolume }),
  entry('/network-volumes/{id}', { GET: getVolume, PATCH: patchVolume, DELETE: removeVolume }),
  entry('/templates', { GET: emptyList('templates') }),
  entry('/templates/{id}', { GET: nowhere }),
  entry('/registries', { GET: emptyList('registries') }),
  entry('/registries/delegations', { GET: emptyList('delegations') }),
  entry('/registries/{id}', { GET: nowhere }),
  entry('/billing', { GET: getBilling }),
  entry('/billing/pods', { GET: getPodBilling }),
]

/** The key inside a pod may end or stop that pod; measured on the live service by at least three projects (2026). */
export function podKeyMay(podId: string, method: string, path: string, body: unknown): boolean {
  if (method === 'DELETE') return path === `/pods/${podId}`
  const action = (body as { action?: unknown } | undefined)?.action
  return method === 'POST' && path === `/pods/${podId}/action` && (action === 'stop' || action === 'terminate')
}

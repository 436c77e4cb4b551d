// A creation at RunPod: what is sent, and what the answer to it means.
import { Fault } from '../../domain/fault.ts'
import type { Offer } from '../../domain/pod.ts'
import type { Boot, PodRow } from '../../ports.ts'
import { type CreatePod, NetworkVolumes, Pod } from '../../wire/runpod.ts'
import { ask, type Call, jsonOf, type RunpodOptions, refusal, send } from './runpod-api.ts'
import { rowOf, unclear } from './runpod-pods.ts'

/** `unclear`: a pod may have been made, whatever the answer says. */
export async function post(
  options: RunpodOptions,
  call: Call,
): Promise<{ kind: 'made'; row: PodRow } | { kind: 'refused' | 'unclear'; fault: Fault }> {
  try {
    const answer = await send(options, call)
    const text = await answer.text()
    if (answer.status >= 300) {
      const fault = refusal(call, answer, text)
      if (fault.data.code === 'answer_unclear') return { kind: 'unclear', fault }
      // Of a creation, 404 means its template or volume: another try changes nothing.
      const wrong = { kind: 'operator', code: 'request_rejected' } as const
      return { kind: 'refused', fault: answer.status === 404 ? new Fault({ ...fault.data, ...wrong }) : fault }
    }
    const pod = Pod.safeParse(jsonOf(text))
    if (pod.success) return { kind: 'made', row: rowOf(pod.data) }
    return { kind: 'unclear', fault: unclear(`RunPod's answer to the creation of a pod is unreadable`) }
  } catch (error) {
    if (!(error instanceof Fault)) throw error
    const sent = error.data.kind === 'transient' && error.data.code !== 'http_unreachable'
    return { kind: sent ? 'unclear' : 'refused', fault: error }
  }
}

/** Faults: operator `volume_unknown`, and those of `ask`. */
export async function createBody(
  options: RunpodOptions,
  podName: string,
  offer: Offer,
  boot: Boot,
): Promise<CreatePod> {
  const body: CreatePod = {
    name: podName,
    image: boot.image,
    gpu: { id: offer.gpuType, count: offer.gpuCount },
    cloud: offer.cloud === 'secure' ? 'SECURE' : 'COMMUNITY',
    disk: boot.diskGb,
    ports: ['22/tcp'],
    env: boot.env,
  }
  if (boot.args !== null) body.args = boot.args
  if (offer.region) body.dataCenterIds = [offer.region]
  if (!boot.volume) return body
  const { networkVolumes } = await ask(options, { method: 'GET', path: '/network-volumes' }, NetworkVolumes)
  const volume = networkVolumes.find(
    candidate => candidate.name === boot.volume?.name || candidate.id === boot.volume?.name,
  )
  if (!volume) {
    throw new Fault({
      kind: 'operator',
      code: 'volume_unknown',
      message: `RunPod has no network volume ${boot.volume.name}`,
      hint: 'Make it in the console, or unset RUNPOD_STORAGE_NAME.',
    })
  }
  // A volume lives in one data center of the secure cloud; a pod elsewhere could not mount it.
  return {
    ...body,
    cloud: 'SECURE',
    dataCenterIds: [volume.dataCenter],
    mounts: { network: [{ volumeId: volume.id, path: boot.volume.path }] },
  }
}

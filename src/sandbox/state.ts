// The state of the simulated provider: its settings, one account, pods, volumes, bills. Types and the empty beginning.
import type { Bill } from './bills.ts'
import type { CloudKind, GpuKind } from './catalog.ts'
import type { FaultChances } from './faults.ts'

export type Settings = {
  faults: FaultChances
  /** Milliseconds from a container's start until each stage; rising. */
  addressMs: number
  sshdMs: number
  comfyMs: number
  /** Prices are multiplied by it. */
  priceScale: number
  /** How long lists and reads may lag at most; must stay below the time a client waits before it believes them. */
  lagMaxMs: number
  balanceMicro: number
  spendLimitMicro: number
}
export const calm: Settings = {
  faults: {},
  addressMs: 1200,
  sshdMs: 1800,
  comfyMs: 3000,
  priceScale: 1,
  lagMaxMs: 800,
  balanceMicro: 25_000_000,
  spendLimitMicro: 80_000_000, // RunPod's default limit, an hour
}

export type Mounts = { persistent?: { size: number; path: string }; network?: { volumeId: string; path: string }[] }
/** A create request that already fits the published schema. */
export type Order = {
  name: string
  image: string
  args: string
  disk: number
  env: Record<string, string>
  ports: string[]
  registry: string | null
  cloud: CloudKind
  gpu: { id: string; count?: number; minCudaVersion?: string; allowedCudaVersions?: string[] } | null
  cpu: { id: string; vcpuCount: number } | null
  dataCenterIds: string[] | null
  mounts: Mounts
  globalNetworking: boolean
  startSsh: boolean
}
export type Trouble = { what: 'ssh-cut' | 'comfy-crash' | 'exit'; atMs: number }
export type Stage = 'placing' | 'addressed' | 'sshd' | 'ready'
export type Pod = Omit<Order, 'gpu' | 'cpu' | 'dataCenterIds'> & {
  id: string
  /** `<id>-<8 hex>`, the user name of the SSH proxy and the host name inside. */
  hostId: string
  /** The key inside the pod: may stop and terminate this pod and nothing else. */
  key: string
  gpu: { id: string; count: number } | null
  cpu: { id: string; vcpuCount: number; memory: number } | null
  status: 'RUNNING' | 'EXITED' | 'TERMINATED'
  /** The machine it lies on: each GPU type has a few. */
  machineId: string
  dataCenterId: string
  cudaVersion: string | null
  microPerHour: number
  createdAtMs: number
  startedAtMs: number
  /** Rises with every container that is started; whoever runs pods compares it. */
  container: number
  /** Rises when the container disk is wiped: at stop, and when the container is made anew. */
  disks: number
  locked: boolean
  fate: GpuKind['fate']
  troubles: Trouble[]
  /** Public port for each declared tcp port; drawn here, overwritten by whoever opens real ones. */
  publicPorts: Record<string, number>
  readableFromMs: number
  listedFromMs: number
  listedUntilMs: number | null
}
export type Volume = {
  id: string
  name: string
  size: number
  dataCenter: string
  type: 'STANDARD' | 'HIGH_PERFORMANCE'
}

export type Cloud = {
  settings: Settings
  dice: number
  /** All money ever paid in; what is left is this less all bills. */
  fundsMicro: number
  pods: Record<string, Pod>
  /** Of every pod there ever was. */
  bills: Record<string, Bill>
  volumes: Record<string, Volume>
  volumeBills: Record<string, Bill>
  sshKeys: string[]
  /** How often each prompt was executed, of pods that are gone too. */
  prompts: Record<string, number>
  /** How often a failing job name (`oom-2`) has failed already. */
  failed: Record<string, number>
}
export type Refusal = { kind: 'refused'; status: 400 | 402 | 404 | 409; detail: string }

export function newCloud(seed: number, settings: Settings): Cloud {
  const empty = { pods: {}, bills: {}, volumes: {}, volumeBills: {}, sshKeys: [], prompts: {}, failed: {} }
  return { settings, dice: seed >>> 0, fundsMicro: settings.balanceMicro, ...empty }
}

export const refused = (status: Refusal['status'], detail: string): Refusal => ({ kind: 'refused', status, detail })

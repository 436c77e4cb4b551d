// The edges as types: what the engine may ask of the world, and the faults each answer can be. Implementations live in edge/.
import type { Event, Fact } from './domain/event.ts'
import type { JobGauge, PodGauge } from './domain/gauge.ts'
import type { Artifact, InputFile, JobSpec, OutputTarget } from './domain/job.ts'
import type { Terms } from './domain/lease.ts'
import type { Address, Offer } from './domain/pod.ts'
import type { Micro, Millis } from './domain/units.ts'

export type Clock = {
  now(): Millis
  /** Resolves after `ms`, or at once when `signal` aborts (it never rejects). */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
  /** A fresh random UUID, lower case. */
  uuid(): string
}

// ---------------------------------------------------------------- renting

export type Want = {
  /** Preference order: provider ids or short names (`A40`, `RTX 4090`, `4090`); empty = any that has `vramGbMin`. */
  gpuTypes: string[]
  gpuCount: number
  regions: string[]
  cloud: 'secure' | 'community' | null
  vramGbMin: number
}

export type Boot = {
  image: string
  diskGb: number
  env: Record<string, string>
  /** Replaces the image's start command: a plain string, or JSON `{"entrypoint":[…],"cmd":[…]}`; null leaves it alone. */
  args: string | null
  volume: { name: string; path: string } | null
}

/** One pod as the provider lists it. */
export type PodRow = {
  ref: string
  name: string
  status: 'starting' | 'running' | 'stopped' | 'failed' | 'terminated'
  gpuType: string | null
  gpuCount: number
  perHour: Micro
  /** Where sshd of the pod is (or will be) reached directly; null until it is known. */
  address: Address | null
  createdAt: Millis | null
}

/** complete, or unknown: an empty body, a short page or a malformed answer is unknown, never "no pods". */
export type Listing = { known: true; pods: PodRow[] } | { known: false; why: string }

export type GpuType = {
  id: string
  name: string
  vramGb: number
  /** Most cards of one pod, in whichever cloud has more; null while the provider does not tell. */
  countMax: number | null
  secure: Micro | null
  community: Micro | null
  stock: Offer['stock']
}

export type Provider = {
  name: string
  /** Between listings while something is on its way; four times that when all is quiet. */
  pollMs: number
  /** A listing that lacks a pod proves nothing sooner than this after another one that lacks it (20 000 on RunPod and Vast). */
  settleMs: number
  /** Longest a create request may be in flight after its sender died. */
  createMaxMs: number
  /** Every type with live prices. Faults: transient, operator. */
  gpus(): Promise<GpuType[]>
  /** Best first; [] is not a fault. Faults: transient, operator; job `gpu_unknown` when a wanted type does not exist. */
  offers(want: Want): Promise<Offer[]>
  /**
   * Rents; idempotent by name: `lookFirst` (a question left open by a restart) and any unclear answer look the name up first.
   * Faults: capacity, operator (key, balance, spend limit), transient (nothing was made).
   */
  create(name: string, offer: Offer, boot: Boot, lookFirst: boolean): Promise<{ ref: string; perHour: Micro }>
  list(): Promise<Listing>
  /** The machine that it lies on, the same for all pods there; null while, or where, it is not told. Faults: transient, operator. */
  host(ref: string): Promise<string | null>
  /** A direct look; null only when the provider says 404. Faults: transient, operator. */
  look(ref: string): Promise<PodRow | null>
  /** Resolves, too, when it is already so. Faults: transient, operator, pod. */
  stop(ref: string): Promise<void>
  start(ref: string): Promise<void>
  /** Resolves, too, when it is already gone. Faults: transient, operator. */
  destroy(ref: string): Promise<void>
  /** Bills of a pod are whole only so long after it is gone; 0 = at once. */
  billLagMs: number
  /** What a pod that is gone was billed; null while the provider does not tell. */
  billed(ref: string): Promise<Micro | null>
  /** null where the provider does not tell. */
  balance(): Promise<Micro | null>
  /**
   * Lines the provider has on a pod (boot, container) after `cursor`, which came with an earlier line; null = from the boot on.
   * Follows until `signal` aborts. A line's own cursor is null where the provider has none.
   */
  logs(
    ref: string,
    cursor: string | null,
    onLine: (line: string, cursor: string | null) => void,
    signal: AbortSignal,
  ): Promise<void>
  /** Price an hour of a pod in status stopped, for its disk. */
  stoppedPerHour(offer: Offer): Micro
}

// ---------------------------------------------------------------- one pod

export type ExecResult = { code: number; stdout: string; stderr: string }

export type Machine = {
  /**
   * Runs `command` in the pod's sh. With `onLine`, lines of stdout come as they are written and `stdout` stays empty.
   * A lost connection is Fault pod `connection_lost`, never an exit code; a time-out is Fault transient `command_timed_out`.
   */
  exec(
    command: string,
    options?: { timeoutMs?: number; stdin?: string; onLine?: (line: string) => void; signal?: AbortSignal },
  ): Promise<ExecResult>
  /** This machine → pod; written beside, verified by sha256, renamed. Makes folders. */
  put(localPath: string, podPath: string, options?: TransferOptions): Promise<{ sha256: string; bytes: number }>
  /** pod → this machine; written beside, verified by sha256, renamed. */
  get(podPath: string, localPath: string, options?: FetchOptions): Promise<{ sha256: string; bytes: number }>
  /** Where a port of the pod is reached from this machine: `http://127.0.0.1:8188`. Only ports the machine was connected with. */
  reach(podPort: number): string
  /** SHA256 fingerprint of the host key. */
  hostKey: string
  /** Settles with the reason when the connection ends; null when `close` was called. */
  closed: Promise<Error | null>
  close(): void
}

/**
 * Follows the GPUs of a machine until `signal` aborts or the stream ends: per cent (mean) and MiB (sum) over `gpuCount` cards.
 * Faults: those of `Machine.exec`.
 */
export type Sampler = (
  machine: Machine,
  gpuCount: number,
  everyMs: number,
  on: (figures: Pick<PodGauge, 'memUtil' | 'vramUsedMiB' | 'vramTotalMiB'> & { gpuUtil: number | undefined }) => void,
  signal: AbortSignal,
) => Promise<void>

/** `bytesMax`: of more than this nothing is taken; fault transient `transfer_corrupt`. */
export type FetchOptions = TransferOptions & { bytesMax?: number }
export type TransferOptions = { signal?: AbortSignal; onBytes?: (bytes: number) => void }

/** A local port held for a pod's whole life, across reconnects; connections wait up to 10 s for a machine, then end. */
export type Tunnel = { localPort: number; close(): Promise<void> }

export type Dialer = {
  /** Binds 127.0.0.1:`preferred`, or the next free port above it. `podPort` is where it leads to. */
  hold(preferred: number, podPort: number): Promise<Tunnel>
  /**
   * One SSH connection; leads `tunnel` through it. Faults: pod `ssh_refused` · `ssh_timed_out` · `host_key_changed`,
   * operator `key_refused` (authentication failed).
   */
  connect(address: Address, options: { pinned: string | null; tunnel: Tunnel; signal?: AbortSignal }): Promise<Machine>
}

// ---------------------------------------------------------------- the lease on a pod

/** What a pod that ended itself left behind. Paths and log lines are the pod's and not to be trusted. */
export type Farewell = {
  pod: string
  podId: string
  /** lease: nobody renewed · deadline: it lived as long as it was allowed to. */
  reason: 'lease' | 'deadline'
  prompt: 'none' | 'finished' | 'interrupted'
  /** Since the agent's first start, and since the last renewal it saw, by the pod's own clock. */
  ageMs: Millis
  silentMs: Millis
  tar: { bytes: number; sha256: string } | null
  /** Where the outputs are; `pod`: lost with it. */
  tarAt: 'bucket' | 'volume' | 'pod' | null
  /** In the bucket; null when it is not there. */
  tarKey: string | null
  /** Newest first, below ComfyUI's output folder; `saved`: in the tar. */
  files: { path: string; bytes: number; sha256: string; saved: boolean }[]
  log: string
  comfyLog: string | null
  /** What the service on it said of its last work (ComfyUI: GET /history), unread; null when it said nothing. */
  history: unknown
}

/** Where a pod's terms differ from the guard's own; `ref`: the provider's id of it, once it is known. */
export type LeaseOf = Partial<Terms> & { ref?: string }

/** Keeps a pod alive: without renewals it saves its outputs and ends itself. `podName` is unique over all time. */
export type Guard = {
  /**
   * What a new pod is ordered with: variables without any key, and arguments that start the agent and then the image's own
   * start command (one simple command); an empty one gives null, and the agent starts with the first `attach`.
   */
  boot(
    podName: string,
    startCommand: string,
    terms?: Partial<Terms>,
  ): Promise<{ env: Record<string, string>; args: string | null }>
  /** First thing on a new connection: makes sure that the agent runs, freshens its signed URLs, renews. Fault pod `pod_ends_itself`. */
  attach(machine: Machine, podName: string, of?: LeaseOf): Promise<void>
  /** One short command; attaches when the agent is gone. Fault pod `pod_ends_itself`. */
  renew(machine: Machine, podName: string, of?: LeaseOf): Promise<void>
  /** For pods that cannot be reached; calls within a second become one write. Nothing comes of it without a bucket that signs. */
  renewByBucket(podName: string): Promise<void>
  /** Removes from the bucket the leases of pods whose names begin with `prefix` and of which `isOver` says that nobody reads theirs. */
  sweep(prefix: string, isOver: (podName: string) => boolean): Promise<void>
  /**
   * What a pod of that name left: the one with `ref` when it was attached with it, else one that perhaps nobody ever reached (a
   * provider may make a name twice; `podId` tells which). null: there is none. Fault pod `farewell_unreadable`, the bucket's.
   */
  farewell(podName: string, ref?: string): Promise<Farewell | null>
}

// ---------------------------------------------------------------- files

export type BucketHead = { bytes: number; sha256: string | null; etag: string }

/** Keeps files under keys. Faults: transient, operator (refused key, no such bucket). */
export type Bucket = {
  name: string
  /** Streams `localPath`; `onlyNew` publishes only if the key is free (`false` = it was taken). */
  put(
    key: string,
    localPath: string,
    options: { sha256: string; onlyNew?: boolean } & TransferOptions,
  ): Promise<boolean>
  putText(key: string, text: string, options?: { onlyNew?: boolean }): Promise<boolean>
  head(key: string): Promise<BucketHead | null>
  /** Written beside and renamed; resumes a `.part` file; the sha256 of what arrived comes back. */
  get(key: string, localPath: string, options?: FetchOptions): Promise<{ sha256: string; bytes: number }>
  list(prefix: string): Promise<{ key: string; bytes: number }[]>
  delete(key: string): Promise<void>
  /** A short-lived URL for one object and verb; null where the bucket has none (then files go over SSH). */
  presign(key: string, verb: 'GET' | 'PUT', ttlMs: number): Promise<string | null>
  /** Signed multipart upload for files over `partBytes`; null where there is none. */
  presignParts(key: string, parts: number, ttlMs: number): Promise<{ uploadId: string; urls: string[] } | null>
  completeParts(key: string, uploadId: string, etags: string[]): Promise<void>
}

export type Transfer = { phase: 'inputs' | 'outputs'; bytes: number; bytesTotal: number }

/** Moves a job's files between this machine, the bucket and a pod: by signed URLs and the pod's curl, else over SSH. */
export type Courier = {
  /** Every input below `folder` (ComfyUI's input folder on the pod), verified by sha256; what is already there is not sent again. */
  deliver(
    inputs: InputFile[],
    machine: Machine,
    folder: string,
    on: (t: Transfer) => void,
    signal: AbortSignal,
  ): Promise<void>
  /** Pod files → bucket under `out/<run>/<job>/<attempt>/`, verified; ends with the manifest, published only once per attempt. */
  collect(task: Task, files: PodFile[], machine: Machine, on: CollectOn, signal: AbortSignal): Promise<Artifact[]>
  /**
   * The attempt's outputs without its pod: by the manifest that `collect` published, else out of what the pod left. Verified and
   * published as by `collect`; null when they are not all there. Fault pod `farewell_corrupt`, and those of the bucket.
   */
  adopt(task: Task, left: LeftFiles | null, signal: AbortSignal): Promise<Artifact[] | null>
  /** Bucket → the targets of the job; never replaces a file it did not write itself for this job. */
  publish(
    spec: JobSpec,
    artifacts: Artifact[],
    replace: (path: string, sha256: string) => boolean,
  ): Promise<Published[]>
}
export type PodFile = { podPath: string; nodeId: string; file: string }
/** A tar in the bucket, and which of its files are an attempt's outputs; `podPath` as the tar names them, without `./`. */
export type LeftFiles = {
  tar: { key: string; bytes: number; sha256: string }
  files: (PodFile & { bytes: number; sha256: string })[]
}
export type CollectOn = { stored(artifact: Artifact): void; moved(t: Transfer): void }
export type Published = { name: string; path: string | null; url: string | null; bytes: number; sha256: string }
export type { OutputTarget }

// ---------------------------------------------------------------- running a job

export type Task = {
  runId: string
  jobId: string
  attempt: number
  promptId: string
  spec: JobSpec
  /** Before the work, all memory of the card is freed that earlier work still holds. */
  freeFirst: boolean
  /** This attempt was under way when an engine died: look before submitting. */
  resumed: boolean
  /** The journal knows that the service took it: one that is no longer known there was lost, and is not submitted again. */
  isTaken: boolean
}

export type TaskOn = {
  /** The prompt is in the server's queue. */
  started(): void
  stored(artifact: Artifact): void
  gauge(gauge: Omit<JobGauge, 'at' | 'attempt'>): void
  /** The service said something new about the task: a sign of life. */
  heard(): void
  /** A picture of the work so far (JPEG or PNG bytes). */
  preview(image: Uint8Array): void
  log(line: string): void
}

export type Executor = {
  name: string
  /** The pod port that must answer, e.g. 8188. */
  port: number
  /**
   * Resolves when the service on the machine answers; polls until `signal` aborts. `absent` is told after each look whether nothing
   * listens on its port (true), or something that does not answer yet. Faults: pod.
   */
  ready(machine: Machine, signal: AbortSignal, absent?: (isAbsent: boolean) => void): Promise<void>
  /** Marks that change when there is a new line in the service's log, or a file of it changes; null where that cannot be told. Faults: pod. */
  marks(machine: Machine, signal: AbortSignal): Promise<{ log: string | null; file: string | null }>
  /** Unloads what the last task left in memory, as soon as the service is between two tasks. Faults: transient, pod. */
  free(machine: Machine, signal: AbortSignal): Promise<void>
  /** Ends the service and starts it again; `ready` tells when it answers. Faults: pod `restart_impossible`, `connection_lost`. */
  restart(machine: Machine, signal: AbortSignal): Promise<void>
  /**
   * Runs one task to its end: files in, work, files out, all verified. Faults: job, pod, transient, operator.
   * Aborting `signal` with reason `'cancel'` (also before the call) interrupts the work on the pod by its id and ends in Fault
   * transient `cancelled` once that is proven, pod `cancel_ignored` when it goes on, pod `connection_lost` when nobody can say.
   * Any other reason just lets go, and is thrown.
   */
  run(task: Task, machine: Machine, on: TaskOn, signal: AbortSignal): Promise<Artifact[]>
  /** The task's outputs in what its pod left; null when it did not end well, or not all of them were saved. Never throws. */
  left(task: Task, farewell: Farewell): LeftFiles | null
}

// ---------------------------------------------------------------- keeping facts

/** Faults of all that concerns the journal: operator `journal_unwritable` · `journal_damaged`; what was to be written is not there. */
export type Store = {
  /**
   * One transaction: events that other processes appended since the last call are handed to `decide`, what it returns is
   * written after them. Durable when it returns; the events just written come back.
   */
  append(decide: (foreign: Event[]) => Fact[], at: Millis): Event[]
  /** Events after `seq`, oldest first. */
  read(afterSeq: number): Event[]
  /** Cheap: has another process written since the last call? */
  changed(): boolean
  /** Takes the engine's lease; null when another living process holds it. It ends with the process. */
  lease(): { release(): void } | null
  /** Whether some living process holds the lease. */
  leased(): boolean
  /** Never throws: what cannot be written is lost, and what cannot be read is not there. */
  writeGauges(rows: GaugeRows): void
  /** What was written after the reading that answered `last`; all there is without. `balance` null: no new one. */
  readGauges(after?: number): GaugeRows & { last: number }
  /** Takes out what nobody looks at any more: keys of jobs, ids of pods. The row written last may stay. Never throws. */
  dropGauges(jobs: readonly string[], pods: readonly string[]): void
  close(): void
}
export type GaugeRows = {
  jobs: [string, JobGauge][]
  pods: [string, PodGauge][]
  balance: { micro: number; at: Millis } | null
}

/** Lines that pods, providers and jobs write; kept on disk, also after the pod is gone. Never throws: where there is no room, they are lost. */
export type Trace = {
  /** `cursor`: where the provider's log goes on after this line; null for a line from elsewhere. */
  pod(podId: string, line: string, cursor: string | null): void
  /** The cursor of the last line that had one, also one that an earlier engine wrote. */
  cursor(podId: string): string | null
  engine(line: string): void
  preview(jobKey: string, image: Uint8Array): void
}

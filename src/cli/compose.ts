// The composition root: settings → the edges an engine is handed.
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { Fault } from '../domain/fault.ts'
import type { Fleet } from '../domain/fleet.ts'
import { DEFAULT_LIMITS, type Limits } from '../domain/limits.ts'
import { buckets, executors, providers } from '../edge/all.ts'
import { systemClock } from '../edge/clock.ts'
import { isLoopback, version } from '../edge/config.ts'
import { createGuard } from '../edge/guard/guard.ts'
import { RUNPOD_TIMING, type RunpodTiming } from '../edge/providers/runpod-timing.ts'
import { sampleGpus } from '../edge/sampler.ts'
import { createDialer } from '../edge/ssh/dialer.ts'
import { type KeyPair, loadOrMakeKey } from '../edge/ssh/keys.ts'
import { openTrace } from '../edge/trace.ts'
import { createCourier } from '../edge/transfer.ts'
import type { EngineOptions } from '../engine/context.ts'
import type { Bucket, Provider, Store } from '../ports.ts'
import type { SandboxDescription } from '../sandbox/sandbox.ts'
import { secretOf } from '../wire/secret.ts'
import { type Home, ownerToken } from './home.ts'
import { sandboxOf } from './sandbox-access.ts'

/** The embedded cloud boots in seconds and answers at once. */
const SANDBOX_TIMING: RunpodTiming = { settleMs: 1000, pollMs: 300, lookupMs: 5000, createMaxMs: 10_000, billLagMs: 0 }

/** Faults: operator `key_missing` · `bucket_incomplete` · `ssh_key_unreadable`. */
export async function compose(home: Home, store: Store): Promise<EngineOptions & { close(): Promise<void> }> {
  const sandbox = await sandboxOf(home)
  const { settings } = home
  const clock = systemClock
  const key = await keyOf(home)
  const dialer = createDialer({ privateKey: key.privateKey })
  const { bucket, bucketName } = await openBucket(home, sandbox)
  const tempDir = join(home.dir, 'transfer')
  // Of an engine that was killed: nobody goes on with that.
  rmSync(tempDir, { recursive: true, force: true })
  const courier = createCourier({ bucket, bucketName, tempDir, clock })
  const image = settings.pod?.image ?? ''
  const volume =
    settings.pod?.volume_name && !sandbox
      ? { name: settings.pod.volume_name, path: settings.pod.volume_path ?? '/workspace' }
      : null
  const limits = limitsOf(home)
  const guard = createGuard({
    bucket,
    leaseMs: limits.leaseMs,
    deadlineMs: limits.deadlineMs,
    graceMs: (settings.pod?.grace_minutes ?? 1) * 60_000,
    // Fine enough for the lease: 5 s of ten minutes.
    tickMs: Math.min(5_000, Math.max(100, limits.leaseMs / 60)),
    volumePath: volume?.path ?? null,
    clock,
  })
  const publicKey = settings.ssh?.public_key_path
    ? readFileSync(expand(settings.ssh.public_key_path) as string, 'utf8').trim()
    : key.publicKey
  return {
    store,
    clock,
    providers: new Map(openProviders(home, sandbox).map(provider => [provider.name, provider])),
    dialer,
    executor: executors.comfy({ courier, clock }),
    courier,
    sampler: sampleGpus,
    // Not into the log of the home: that is what cannot be written.
    trace: openTrace(home.dir, clock, why =>
      process.stderr.write(`autopod: logs and previews in ${home.dir} are left out: ${why}\n`),
    ),
    boot: async (podName, terms) => {
      const { env, args } = await guard.boot(podName, settings.pod?.start_command ?? '/start.sh', terms)
      return { image, diskGb: settings.pod?.disk_gb ?? 50, env: { PUBLIC_KEY: publicKey, ...env }, args, volume }
    },
    guard,
    limits,
    home8: ownerToken(home.dir).slice(0, 8),
    version: version(),
    pid: process.pid,
    firstPort: settings.run?.first_port ?? 8188,
    close: () => dialer.close(),
  }
}

/** The key of the settings; where they name none, the home's own, made once. Fault operator `ssh_key_unreadable`. */
export async function keyOf(home: Home): Promise<KeyPair> {
  const named = expand(home.settings.ssh?.private_key_path)
  // A mistyped path must not become a new key there, which nobody knows of.
  if (named && !existsSync(named))
    throw new Fault({
      kind: 'operator',
      code: 'ssh_key_unreadable',
      message: `the SSH key ${named} (${home.loaded.sources.get('ssh.private_key_path')}) does not exist`,
      hint: 'Correct the path, or leave it out: then a key is made for this home.',
    })
  return loadOrMakeKey(named ?? join(home.dir, 'id_ed25519'))
}

/** Of the home's settings. Faults: operator `key_missing` · `sandbox_silent`. */
export async function providersOf(home: Home): Promise<Provider[]> {
  return openProviders(home, await sandboxOf(home))
}

export function openProviders(home: Home, sandbox: SandboxDescription | null): Provider[] {
  if (sandbox) {
    const { runpod_url: url, graphql_url: graphqlUrl } = sandbox
    const apiKey = secretOf(sandbox.api_key)
    return [providers.runpod('sandbox', { url, graphqlUrl, apiKey, clock: systemClock, timing: SANDBOX_TIMING })]
  }
  const { api_key: apiKey, api_url: url = '', graphql_url: graphqlUrl = '' } = home.settings.runpod ?? {}
  if (!apiKey) {
    throw new Fault({
      kind: 'operator',
      code: 'key_missing',
      message: 'no RunPod API key is set',
      hint: 'Set RUNPOD_API_KEY (or runpod.api_key: autopod config init), or try --provider sandbox.',
    })
  }
  // An address on loopback is an embedded cloud that somebody started by hand: it keeps its own, shorter promises.
  const timing = isLoopback(url) ? SANDBOX_TIMING : RUNPOD_TIMING
  return [providers.runpod('runpod', { url, graphqlUrl, apiKey, clock: systemClock, timing })]
}

/** R2 where its settings are complete; else a folder of this home, with files going over SSH. */
export async function openBucket(
  home: Home,
  sandbox: SandboxDescription | null,
): Promise<{ bucket: Bucket; bucketName: string | null }> {
  if (home.settings.bucket === 'none') return { bucket: buckets.disk(join(home.dir, 'bucket')), bucketName: null }
  if (sandbox) {
    const bucket = await buckets.r2({
      endpoint: sandbox.s3_endpoint,
      bucket: sandbox.bucket,
      accessKeyId: sandbox.s3_access_key_id,
      secretAccessKey: secretOf(sandbox.s3_secret_access_key),
    })
    return { bucket, bucketName: sandbox.bucket }
  }
  const {
    account_id: account,
    endpoint,
    access_key_id: accessKeyId,
    secret_access_key: secretAccessKey,
    bucket,
  } = home.settings.r2 ?? {}
  const address = endpoint ?? (account && `https://${account}.r2.cloudflarestorage.com`)
  if (address && accessKeyId && secretAccessKey && bucket) {
    return {
      bucket: await buckets.r2({ endpoint: address, bucket, accessKeyId: accessKeyId.reveal(), secretAccessKey }),
      bucketName: bucket,
    }
  }
  if (home.settings.bucket === 'r2' || address || accessKeyId || secretAccessKey || bucket) {
    const missing = [
      !address && 'R2_ACCOUNT_ID or R2_ENDPOINT',
      !accessKeyId && 'R2_ACCESS_KEY_ID',
      !secretAccessKey && 'R2_SECRET_ACCESS_KEY',
      !bucket && 'R2_BUCKET',
    ]
    throw new Fault({
      kind: 'operator',
      code: 'bucket_incomplete',
      message: `the bucket's settings are incomplete: ${missing.filter(Boolean).join(', ')} not set`,
      hint: 'Set them, or "bucket": "none" to move files over SSH.',
    })
  }
  return { bucket: buckets.disk(join(home.dir, 'bucket')), bucketName: null }
}

export function limitsOf(home: Home): Limits {
  const { pod, run } = home.settings
  const bootMs = (pod?.boot_minutes ?? 15) * 60_000
  const leaseMs = (pod?.lease_minutes ?? 10) * 60_000
  const deadlineMs = (pod?.deadline_hours ?? 24) * 3_600_000
  const capacityWaitMs = (run?.capacity_wait_minutes ?? 15) * 60_000
  // Offers of the embedded cloud cost nothing to ask for, and its pods are sampled so that a short job shows its GPU. They come and go
  // in seconds.
  const quick =
    home.provider === 'sandbox'
      ? {
          ...{
            sampleMs: 1000,
            capacityPauseMs: 5000,
            capacityPauseMaxMs: 20_000,
            offersFreshMs: 5000,
            comfyGoneMs: 8000,
          },
          ...{
            teardownMs: 5000,
            balanceEveryMs: 5000,
            orderMs: 2000,
            bootGuessMs: 10_000,
            jobGuessMs: 30_000,
            tryMs: 2000,
            journalWaitMs: 2000,
            journalRetryMs: 250,
          },
        }
      : {}
  return { ...DEFAULT_LIMITS, bootMs, leaseMs, deadlineMs, capacityWaitMs, ...stuckLimits(run), ...quick }
}

/** Whoever changes how long a silent job is borne, changes the same for one whose GPU works, in proportion. */
function stuckLimits(run: Home['settings']['run']): Partial<Limits> {
  const { stuckWarnMs: warnMs, stuckActMs: actMs, stuckBusyActMs: busyMs, stuckLookMs: lookMs } = DEFAULT_LIMITS
  const stuckWarnMs = run?.stuck_warn_minutes ? run.stuck_warn_minutes * 60_000 : warnMs
  const stuckActMs = Math.max(stuckWarnMs, run?.stuck_act_minutes ? run.stuck_act_minutes * 60_000 : actMs)
  return {
    stuckWarnMs,
    stuckActMs,
    stuckBusyActMs: (stuckActMs / actMs) * busyMs,
    stuckLookMs: Math.min(lookMs, stuckWarnMs / 5),
  }
}

/** The file is, byte for byte, what a job of this home published there. */
function isOurs(fleet: Fleet, path: string, sha256: string): boolean {
  for (const job of fleet.jobs.values())
    if (job.published.some(file => file.path === path && file.sha256 === sha256)) return true
  return false
}

/** A job of this home published this file, and nobody changed it since. */
export function isOurFile(fleet: Fleet, path: string): boolean {
  return existsSync(path) && isOurs(fleet, path, createHash('sha256').update(readFileSync(path)).digest('hex'))
}

function expand(path: string | undefined): string | undefined {
  return path?.startsWith('~/') ? join(homedir(), path.slice(2)) : path
}

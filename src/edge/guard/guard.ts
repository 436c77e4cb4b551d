// The lease on a pod: what a pod is ordered with, so that it ends itself when nobody renews, and the renewals.
//
// The agent (script.ts) starts before the image's own start command; where the image ignores the arguments, the first connection
// brings and starts it. Its text and settings travel as two packed variables, which are gone again before anything else runs.
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { rootCertificates } from 'node:tls'
import { gzipSync } from 'node:zlib'
import { Fault } from '../../domain/fault.ts'
import type { Bucket, Clock, Farewell, Guard, LeaseOf, Machine } from '../../ports.ts'
import { parseJson } from '../../wire/comfy.ts'
import { FarewellFile } from '../../wire/farewell.ts'
import { version } from '../config.ts'
import { unwritableFault } from '../transfer-fault.ts'
import { lastWords } from '../untrusted.ts'
import { ALIVE_FUNCTION, GUARD_SCRIPT } from './script.ts'

export type GuardOptions = {
  bucket: Bucket
  /** Without a renewal for so long, as the pod counts it, the pod ends itself. */
  leaseMs: number
  /** Longest life of a pod, counted from the agent's first start. */
  deadlineMs: number
  /** A prompt that runs when the lease is over may go on for so long. */
  graceMs: number
  /** Between two looks of the agent; also its first pause after a refused end, the longest is twelve of them. Default 5000. */
  tickMs?: number
  /** Where a pod's network volume is mounted, for farewells without a bucket; null: pods have none. */
  volumePath?: string | null
  clock: Clock
}

const TICK_MS = 5_000
/** For what comes after the deadline: grace, a bucket that is away for a while. */
const SIGNED_SPARE_MS = 3_600_000
/** About one write a second to one key; R2 answers 429 beyond (R2 limits, 2026-08). */
const WRITE_PAUSE_MS = 1_000
const RENEW_MAX_MS = 20_000
const ATTACH_MAX_MS = 60_000
/** A list of a million files has less; whoever has a pod can put anything there. */
const FAREWELL_BYTES_MAX = 64 * 1024 * 1024

export const leaseKey = (podName: string) => `lease/${podName}`
/** A name that was made twice has two pods; only one of them is ever attached, and that one has outputs. */
export const farewellKeys = (podName: string, ref?: string) => {
  const words = `farewell/${podName}${ref ? `.${ref.replace(/[^A-Za-z0-9_-]/g, '_')}` : ''}`
  return { json: `${words}.json`, tar: `${words}.tar` }
}

/**
 * Faults: those of the bucket (`boot`, `renewByBucket`, `sweep`, `farewell`) and of `exec` (`attach`, `renew`); pod `pod_ends_itself` when
 * the agent is past the point of no return, pod `guard_failed` when it cannot be set up, pod `farewell_unreadable`.
 */
export function createGuard(options: GuardOptions): Guard {
  const { bucket, clock, graceMs, tickMs = TICK_MS, volumePath = null } = options
  const writes = new Map<string, { at: number; waiting: Promise<void> | null }>()

  const settings = async (podName: string, { ref, ...terms }: LeaseOf): Promise<string> => {
    const { leaseMs, deadlineMs } = { ...options, ...terms }
    // Saving may take three leases.
    const ttlMs = deadlineMs + graceMs + options.leaseMs * 3 + SIGNED_SPARE_MS
    const keys = farewellKeys(podName, ref)
    const [lease, tar, json] = await Promise.all([
      bucket.presign(leaseKey(podName), 'GET', ttlMs),
      bucket.presign(keys.tar, 'PUT', ttlMs),
      bucket.presign(keys.json, 'PUT', ttlMs),
    ])
    const lines = {
      pod: podName,
      lease_ms: Math.round(leaseMs),
      deadline_ms: Math.round(deadlineMs),
      patience_ms: Math.round(options.leaseMs),
      grace_ms: Math.round(graceMs),
      tick_ms: Math.max(1, Math.round(tickMs)),
      agent: `autopod/${version()} (guard)`,
      lease_url: lease,
      tar_url: tar,
      json_url: json,
      volume: volumePath,
    }
    return Object.entries(lines)
      .map(([name, value]) => (value === null ? '' : `${name} ${value}\n`))
      .join('')
  }

  const attach = async (machine: Machine, podName: string, of: LeaseOf = {}): Promise<void> => {
    const stdin = `${PACKED_SCRIPT}\n${packed(await settings(podName, of))}\n${clock.uuid()}\n`
    const said = await machine.exec(attachScript(podName), { stdin, timeoutMs: ATTACH_MAX_MS })
    if (said.code !== 0) throw failed(podName, said.stderr)
    refuseEnding(podName, said.stdout)
    if (!said.stdout.includes('ca missing')) return
    const stored = await machine.exec(caScript(podName), {
      stdin: `${rootCertificates.join('\n')}\n`,
      timeoutMs: ATTACH_MAX_MS,
    })
    if (stored.code !== 0) throw failed(podName, stored.stderr)
  }

  const read = async (podName: string, keys: ReturnType<typeof farewellKeys>): Promise<Farewell | null> => {
    const head = await bucket.head(keys.json)
    if (head === null) return null
    if (head.bytes > FAREWELL_BYTES_MAX) throw unreadable(podName)
    const dir = await mkdtemp(join(tmpdir(), 'autopod-farewell-')).catch(cause => {
      throw unwritableFault(tmpdir(), cause)
    })
    try {
      await bucket.get(keys.json, join(dir, 'farewell.json'))
      const file = FarewellFile.safeParse(jsonOf(await readFile(join(dir, 'farewell.json'), 'utf8')))
      if (!file.success) throw unreadable(podName)
      return { ...file.data, tarKey: file.data.tarAt === 'bucket' ? keys.tar : null }
    } finally {
      await rm(dir, { recursive: true, force: true })
    }
  }

  return {
    async boot(podName, startCommand, terms = {}) {
      const env = { AUTOPOD_GUARD: PACKED_SCRIPT, AUTOPOD_GUARD_SETTINGS: packed(await settings(podName, terms)) }
      const args = startCommand.trim()
        ? JSON.stringify({ entrypoint: ['/bin/sh', '-c'], cmd: [bootScript(podName, startCommand.trim())] })
        : null
      return { env, args }
    },
    attach,
    async renew(machine, podName, of) {
      // Short of the lease, so that there is time for the bucket when it hangs.
      const timeoutMs = Math.min(RENEW_MAX_MS, Math.max(2_000, options.leaseMs / 3))
      const said = await machine.exec(renewScript(podName), { stdin: `${clock.uuid()}\n`, timeoutMs })
      refuseEnding(podName, said.stdout)
      if (said.code !== 0 || !said.stdout.includes('guard running')) await attach(machine, podName, of)
    },
    async renewByBucket(podName) {
      // A folder on this machine is nothing that a pod could read.
      if ((await bucket.presign(leaseKey(podName), 'GET', SIGNED_SPARE_MS)) === null) return
      const write = writes.get(podName) ?? { at: Number.NEGATIVE_INFINITY, waiting: null }
      writes.set(podName, write)
      write.waiting ??= (async () => {
        const pauseMs = write.at + WRITE_PAUSE_MS - clock.now()
        if (pauseMs > 0) await clock.sleep(pauseMs)
        write.at = clock.now()
        await bucket.putText(leaseKey(podName), `${clock.uuid()}\n`)
      })().finally(() => {
        write.waiting = null
      })
      return write.waiting
    },
    async sweep(prefix, isOver) {
      if ((await bucket.presign(leaseKey(prefix), 'GET', SIGNED_SPARE_MS)) === null) return
      for (const { key } of await bucket.list(leaseKey(prefix))) {
        const podName = key.slice(leaseKey('').length)
        if (!isOver(podName)) continue
        writes.delete(podName)
        await bucket.delete(key)
      }
    },
    async farewell(podName, ref) {
      return (ref && (await read(podName, farewellKeys(podName, ref)))) || read(podName, farewellKeys(podName))
    },
  }
}

// ---------------------------------------------------------------- what runs on the pod

/** Not base64 for secrecy: quotes, `$` and newlines in a variable break /etc/rp_environment of RunPod's images (2026-08). */
const packed = (text: string) => gzipSync(text, { level: 9 }).toString('base64')
const PACKED_SCRIPT = packed(GUARD_SCRIPT)

const folder = (podName: string) => {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(podName)) throw new Error(`bug: ${JSON.stringify(podName)} is no pod's name`)
  return `HOME="\${HOME:-/root}"; export HOME; d="$HOME/.autopod/${podName}"`
}

/** Renamed into place: a shell reads its script as it goes. */
const UNPACK = `unpack() { if command -v base64 >/dev/null 2>&1; then base64 -d; else openssl base64 -d -A; fi | gzip -dc; }
store() { printf '%s' "$2" | unpack > "$d/$1.new" && [ -s "$d/$1.new" ] && mv -f "$d/$1.new" "$d/$1"; }`

/** In a session of its own, so that neither the end of a connection nor that of a command takes it along. */
const LAUNCH =
  's=; if command -v setsid >/dev/null 2>&1; then s=setsid; fi; $s sh "$d/guard.sh" </dev/null >/dev/null 2>&1 &'

/** A start command that is not there would have the container started again for ever; so the pod waits, and ends by its lease. */
const bootScript = (podName: string, startCommand: string) => `${folder(podName)}
${UNPACK}
(umask 077; mkdir -p "$d" && store settings "$AUTOPOD_GUARD_SETTINGS" && store guard.sh "$AUTOPOD_GUARD") && { ${LAUNCH} }
unset AUTOPOD_GUARD AUTOPOD_GUARD_SETTINGS
if command -v ${startCommand.split(/\s/)[0]} >/dev/null 2>&1; then exec ${startCommand}; fi
echo 'autopod: the start command is not in this image' >&2
exec sleep 2147483647`

const TOO_LATE = `if [ -f "$d/parting" ] || [ -f "$d/saved" ]; then echo 'guard ending'; fi`

const attachScript = (podName: string) => `${folder(podName)}
${ALIVE_FUNCTION}
${UNPACK}
umask 077
IFS= read -r guard; IFS= read -r settings; IFS= read -r nonce
mkdir -p "$d" && store settings "$settings" && store guard.sh "$guard" || exit 74
printf '%s\\n' "$nonce" > "$d/lease.new" && mv -f "$d/lease.new" "$d/lease" || exit 74
if ! alive; then ${LAUNCH} fi
${TOO_LATE}
if [ ! -s "$d/ca.pem" ]; then echo 'ca missing'; fi`

const renewScript = (podName: string) => `${folder(podName)}
${ALIVE_FUNCTION}
umask 077
IFS= read -r nonce
printf '%s\\n' "$nonce" > "$d/lease.new" && mv -f "$d/lease.new" "$d/lease" || exit 74
${TOO_LATE}
if alive; then echo 'guard running'; fi`

const caScript = (podName: string) => `${folder(podName)}
umask 077; cat > "$d/ca.pem.new" && mv -f "$d/ca.pem.new" "$d/ca.pem"`

// ---------------------------------------------------------------- faults

function refuseEnding(podName: string, stdout: string): void {
  if (!stdout.includes('guard ending')) return
  throw new Fault({
    kind: 'pod',
    code: 'pod_ends_itself',
    message: `${podName} was not renewed in time, or is at its deadline: it has saved its outputs and ends itself`,
  })
}

function unreadable(podName: string): Fault {
  return new Fault({
    kind: 'pod',
    code: 'farewell_unreadable',
    message: `the farewell of ${podName} is unreadable`,
    hint: `Its outputs may be in the bucket under farewell/${podName}.`,
  })
}

function failed(podName: string, stderr: string): Fault {
  const why = lastWords(stderr) || 'its disk does not take it'
  return new Fault({
    kind: 'pod',
    code: 'guard_failed',
    message: `the lease on ${podName} could not be set up: ${why}`,
  })
}

function jsonOf(text: string): unknown {
  try {
    // As ComfyUI writes it, with NaN.
    return parseJson(text)
  } catch {
    return undefined
  }
}

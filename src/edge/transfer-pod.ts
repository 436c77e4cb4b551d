// One file between a pod and a signed URL: runs the scripts, reads their lines, and says what a failure means.
import { Fault } from '../domain/fault.ts'
import type { Machine } from '../ports.ts'
import { stopIfAborted } from './transfer-fault.ts'
import { curlConfig, fetchScript, PROBE, sendPartScript, sendScript } from './transfer-scripts.ts'
import { lastWords } from './untrusted.ts'

export type PodFacts = { bytes: number; sha256: string; md5: string | null }
export type Probe = { curl: boolean; files: (PodFacts | null)[] }
/** `etag` without quotes, as the bucket answered; `md5` of what was sent, where the pod could tell. */
export type Sent = { etag: string | null; md5: string | null }

/** Hashing at 200 MB/s, the slowest disk seen on a pod, 360 GB are done in half an hour. */
const PROBE_MAX_MS = 30 * 60_000

/** Whether the pod has curl, and what lies at each path: null where there is no such file. Paths have no newlines. */
export async function probe(machine: Machine, paths: string[], signal: AbortSignal): Promise<Probe> {
  const stdin = paths.map(path => `${path}\n`).join('')
  const result = await machine.exec(PROBE, { stdin, signal, timeoutMs: PROBE_MAX_MS })
  const [tools, ...lines] = result.stdout.split('\n')
  if (result.code !== 0 || !tools?.startsWith('tools ') || lines.length < paths.length) throw diskFault('look', result)
  const files = paths.map((_, index) => {
    const [, bytes, sha256, md5] = /^file (\d+) ([0-9a-f]{64}) (\S+)$/.exec(lines[index] ?? '') ?? []
    return sha256 ? { bytes: Number(bytes), sha256, md5: md5 === '-' || !md5 ? null : md5 } : null
  })
  return { curl: tools === 'tools 1', files }
}

/** URL → pod file. Faults: transient (see `curlFault`), pod `pod_write_failed`. */
export async function fetchUrl(
  machine: Machine,
  url: string,
  target: string,
  want: { bytes: number; sha256: string | null },
  onBytes: (bytes: number) => void,
  signal: AbortSignal,
): Promise<void> {
  const lines = await run(machine, fetchScript(target, want.bytes, want.sha256), url, target, signal, (word, value) => {
    if (word === 'at') onBytes(Number(value))
  })
  if (lines.has('done')) return
  if (lines.has('differs'))
    throw new Fault({ kind: 'transient', code: 'transfer_corrupt', message: `${target} arrived with other content` })
  throw curlFault(lines, target)
}

/** Pod file → URL, whole, or the given MiB of it. Faults as `fetchUrl`. */
export async function sendFile(
  machine: Machine,
  path: string,
  url: string,
  part: { skip: number; count: number } | null,
  signal: AbortSignal,
): Promise<Sent> {
  const script = part ? sendPartScript(path, part.skip, part.count) : sendScript(path)
  const lines = await run(machine, script, url, path, signal)
  if (lines.get('curl') !== '0') throw curlFault(lines, path)
  const md5 = lines.get('md5')
  return { etag: lines.get('etag:')?.replaceAll('"', '') ?? null, md5: md5 && md5 !== '-' ? md5 : null }
}

/** What our scripts and curl say that anybody asks for; a pod may say anything else, and as much of it as it likes. */
const WORDS = new Set(['curl', 'http', 'etag:', 'md5', 'done', 'differs'])

/** Last value of each word, lower case: a retried request has several blocks of headers, and the last one counts. */
async function run(
  machine: Machine,
  script: string,
  url: string,
  what: string,
  signal: AbortSignal,
  onWord: (word: string, value: string) => void = () => {},
): Promise<Map<string, string>> {
  const lines = new Map<string, string>()
  const onLine = (line: string) => {
    const [, word = '', value = ''] = /^(\S+)\s*(.*?)\s*$/.exec(line) ?? []
    if (WORDS.has(word.toLowerCase())) lines.set(word.toLowerCase(), value)
    onWord(word, value)
  }
  const result = await machine.exec(script, { stdin: curlConfig(url), onLine, signal })
  stopIfAborted(signal)
  if (result.code !== 0) throw diskFault(what, result)
  lines.set('why', lastWords(result.stderr))
  return lines
}

/** curl's exit codes when no connection came about at all, curl(1) "EXIT CODES", 7.88: the pod cannot reach the bucket. */
const UNREACHABLE = new Set(['5', '6', '7', '35', '60', '77'])

/**
 * transient `bucket_unreachable_from_pod` (files can still go over SSH) · `transfer_refused` (a signed URL that expired) ·
 * `transfer_failed`; pod `pod_write_failed`.
 */
function curlFault(lines: Map<string, string>, what: string): Fault {
  const code = lines.get('curl') ?? '?'
  const status = lines.get('http') ?? '000'
  const why = lines.get('why') || `curl ended with ${code}`
  const make = (kind: 'transient' | 'pod', name: string) =>
    new Fault({ kind, code: name, message: `${what} was not transferred: ${why}` })
  if (code === '23') return make('pod', 'pod_write_failed')
  if (status === '000' && (UNREACHABLE.has(code) || code === '28')) return make('transient', UNREACHABLE_CODE)
  if (['400', '401', '403'].includes(status)) return make('transient', 'transfer_refused')
  return make('transient', 'transfer_failed')
}

const UNREACHABLE_CODE = 'bucket_unreachable_from_pod'
export const isUnreachable = (error: unknown) => error instanceof Fault && error.data.code === UNREACHABLE_CODE

function diskFault(what: string, result: { code: number; stderr: string }): Fault {
  const why = lastWords(result.stderr) || `sh ended with ${result.code}`
  return new Fault({
    kind: 'pod',
    code: 'pod_write_failed',
    message: `${what} failed on the pod: ${why}`,
    ...(/no space left/i.test(why) ? { hint: 'Give the pods a larger disk.' } : {}),
  })
}

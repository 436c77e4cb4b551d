// What pods, providers and the engine say, kept in files: bounded, also after the pod is gone, readable by other processes.
import { appendFileSync, existsSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Clock, Trace } from '../ports.ts'

/** One older generation is kept, so that a log never takes more than twice this. */
const LOG_MAX_BYTES = 5_000_000
const PREVIEW_EVERY_MS = 500

export type LogLine = { at: number; text: string }

export function openTrace(home: string, clock: Clock): Trace {
  const pods = join(home, 'logs', 'pods')
  mkdirSync(pods, { recursive: true, mode: 0o700 })
  const previews = new Map<string, number>()
  const append = (path: string, line: string) => {
    const text = line.length > 4000 ? `${line.slice(0, 4000)}…` : line
    appendFileSync(path, `${new Date(clock.now()).toISOString()} ${text.replaceAll('\n', ' ')}\n`, { mode: 0o600 })
    if (statSync(path).size > LOG_MAX_BYTES) renameSync(path, `${path}.1`)
  }
  return {
    pod: (podId, line) => append(podLogPath(home, podId), line),
    engine: line => append(join(home, 'logs', 'autopod.log'), line),
    preview(jobKey, image) {
      if (clock.now() - (previews.get(jobKey) ?? 0) < PREVIEW_EVERY_MS) return
      previews.set(jobKey, clock.now())
      const path = previewPath(home, jobKey)
      writeFileSync(`${path}.part`, image, { mode: 0o600 })
      renameSync(`${path}.part`, path)
    },
  }
}

export function podLogPath(home: string, podId: string): string {
  return join(home, 'logs', 'pods', `${podId}.log`)
}

export function previewPath(home: string, jobKey: string): string {
  return join(home, 'previews', jobKey.replaceAll('/', '-'))
}

/** The last `max` lines, oldest first; [] when the pod never said anything. */
export function readPodLog(home: string, podId: string, max: number): LogLine[] {
  const path = podLogPath(home, podId)
  const texts = [`${path}.1`, path].filter(existsSync).map(file => readFileSync(file, 'utf8'))
  const lines = texts.join('').split('\n').filter(Boolean).slice(-max)
  return lines.map(line => ({ at: Date.parse(line.slice(0, 24)) || 0, text: line.slice(25) }))
}

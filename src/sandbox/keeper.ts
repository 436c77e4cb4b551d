// Keeps the cloud's state in a file and hands it to pure moves one at a time: the only place where it changes.
// The file is written whole, beside and renamed, before the caller learns the outcome: a pod that was answered for is known
// after a kill. Left out: fsync; what a power cut of this machine loses is play money.
import { chmodSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Cloud, newCloud, type Settings } from './state.ts'

/** What the sandbox remembers beside the cloud: keys made at first start, and the ports it had, to have them again. */
export type Papers = {
  apiKey: string
  s3AccessKeyId: string
  s3SecretAccessKey: string
  apiPort: number
  s3Port: number
}
export type Move<T> = (cloud: Cloud, nowMs: number) => [Cloud, T]
export type Keeper = {
  cloud(): Cloud
  papers(): Papers
  /** Makes a move at the present time; listeners hear of it when pods, volumes, keys or counts changed. */
  move<T>(move: Move<T>): T
  note(papers: Partial<Papers>): void
  onChange(listener: () => void): void
}

type Stored = { version: 1; papers: Papers; cloud: Omit<Cloud, 'settings'> }
const kept = ['fundsMicro', 'pods', 'bills', 'volumes', 'volumeBills', 'sshKeys', 'prompts', 'failed'] as const

/**
 * Opens `dir/state.json`, or begins with `seed` and `fresh` papers. Throws on a file that cannot be read as one of ours:
 * to begin anew silently would forget pods that still run.
 */
export function openKeeper(dir: string, seed: number, settings: Settings, fresh: Papers): Keeper {
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  const path = join(dir, 'state.json')
  const stored = load(path)
  let cloud: Cloud = stored ? { ...newCloud(seed, settings), ...stored.cloud, settings } : newCloud(seed, settings)
  let papers = stored?.papers ?? fresh
  const listeners: (() => void)[] = []

  const save = () => {
    const { settings: _, ...rest } = cloud
    const text = JSON.stringify({ version: 1, papers, cloud: rest } satisfies Stored)
    writeFileSync(`${path}.new`, text, { mode: 0o600 })
    chmodSync(`${path}.new`, 0o600)
    renameSync(`${path}.new`, path)
  }
  save()

  return {
    cloud: () => cloud,
    papers: () => papers,
    move: move => {
      const before = cloud
      const [next, outcome] = move(cloud, Date.now())
      cloud = next
      if (kept.some(part => next[part] !== before[part])) {
        save()
        for (const listener of listeners) listener()
      }
      return outcome
    },
    note: more => {
      papers = { ...papers, ...more }
      save()
    },
    onChange: listener => listeners.push(listener),
  }
}

function load(path: string): Stored | null {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
  const stored = JSON.parse(text) as Stored
  if (stored?.version !== 1 || !stored.cloud || !stored.papers)
    throw new Error(`${path} is no sandbox state of version 1`)
  return stored
}

// A pod that is a folder of this machine and its real sh, and servers that spoil what passes through them.
import { spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { copyFile, mkdir, readFile, stat, symlink, writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { delimiter, dirname, join } from 'node:path'
import { type Artifact, bareSpec, type JobSpec, type OutputTarget } from '../../src/domain/job.ts'
import type { Clock, Machine, Task } from '../../src/ports.ts'

export const sha = (data: string | Uint8Array) => createHash('sha256').update(data).digest('hex')

/** Pauses cost nothing here, so that a suite that fails on purpose stays quick. */
export const clock: Clock = { now: () => Date.now(), sleep: () => Promise.resolve(), uuid: () => crypto.randomUUID() }

export type LocalPod = Machine & { commands: string[]; puts: number; gets: number }

/** Paths are those of this machine. `path` replaces PATH, for a pod that lacks programs. */
export function localPod(path = process.env.PATH ?? ''): LocalPod {
  const copied = async (from: string, to: string) => {
    await mkdir(dirname(to), { recursive: true })
    await copyFile(from, to)
    const data = await readFile(to)
    return { sha256: sha(data), bytes: data.length }
  }
  const pod: LocalPod = {
    commands: [],
    puts: 0,
    gets: 0,
    exec(command, options = {}) {
      pod.commands.push(command)
      return new Promise((resolve, reject) => {
        const child = spawn('/bin/sh', ['-c', command], { env: { PATH: path }, signal: options.signal })
        let stdout = ''
        let stderr = ''
        child.stdout.on('data', data => {
          stdout += data
          if (!options.onLine) return
          const lines = stdout.split('\n')
          stdout = lines.pop() ?? ''
          for (const line of lines) options.onLine(line)
        })
        child.stderr.on('data', data => {
          stderr += data
        })
        child.on('error', reject)
        child.on('close', code => {
          if (options.onLine && stdout) options.onLine(stdout)
          resolve({ code: code ?? 143, stdout: options.onLine ? '' : stdout, stderr })
        })
        child.stdin.on('error', () => {})
        child.stdin.end(options.stdin ?? '')
      })
    },
    async put(from, to, options) {
      pod.puts++
      const done = await copied(from, to)
      options?.onBytes?.(done.bytes)
      return done
    },
    async get(from, to, options) {
      pod.gets++
      const done = await copied(from, to)
      options?.onBytes?.(done.bytes)
      return done
    },
    reach: port => `http://127.0.0.1:${port}`,
    hostKey: 'SHA256:none',
    closed: new Promise(() => {}),
    close: () => {},
  }
  return pod
}

/** A PATH with this machine's programs of those names only. */
export async function pathOf(folder: string, programs: string[]): Promise<string> {
  await mkdir(folder, { recursive: true })
  for (const program of programs)
    for (const dir of (process.env.PATH ?? '').split(delimiter)) {
      const is = await stat(join(dir, program)).catch(() => null)
      if (!is) continue
      await symlink(join(dir, program), join(folder, program))
      break
    }
  return folder
}

export type Spoiler = { base: string; seen: IncomingMessage[]; close(): Promise<void> }

/** A server between the pod and the bucket; `handle` answers each request, `number` counts from 1. */
export async function spoiler(
  handle: (request: IncomingMessage, response: ServerResponse, number: number, body: Buffer) => void | Promise<void>,
): Promise<Spoiler> {
  const seen: IncomingMessage[] = []
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    seen.push(request)
    await handle(request, response, seen.length, Buffer.concat(chunks))
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return {
    base: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    close: async () => {
      server.closeAllConnections()
      await new Promise(resolve => server.close(resolve))
    },
  }
}

export async function writeBig(path: string, mebi: number, more: number): Promise<string> {
  const block = randomBytes(1024 * 1024)
  const content = Buffer.concat([...Array.from({ length: mebi }, () => block), randomBytes(more)])
  // Every MiB differs from the others, so that swapped parts show.
  for (let at = 0; at < mebi; at++) content.writeUInt32BE(at, at * block.length)
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, content)
  return sha(content)
}

export function specWith(outputs: OutputTarget[]): JobSpec {
  return bareSpec({
    jobId: 'job',
    digest: '',
    source: '/jobs/job.json',
    executor: 'comfy',
    template: 't',
    outputs,
  })
}

export function taskWith(change: Partial<Task> = {}): Task {
  const outputs = [{ name: 'image', nodeId: '9', target: '/nowhere/' }]
  return {
    runId: 'run1',
    jobId: 'job',
    attempt: 1,
    promptId: 'p1',
    spec: specWith(outputs),
    freeFirst: false,
    resumed: false,
    isTaken: false,
    ...change,
  }
}

export const byKey = (artifacts: Artifact[]) => artifacts.map(artifact => artifact.key.split('/').at(-1))

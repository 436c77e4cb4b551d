// The processes of a simulated pod: its start command really runs, in the pod's folder, and all of them end with the pod.
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdir, realpath, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

const SYSTEM_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/** RunPod's images wait at the end of theirs (start.sh of runpod/containers, 2026-08); sshd and ComfyUI are not started by it here. */
const START_SH = '#!/bin/sh\nexec sleep 2147483647\n'

/**
 * Waits for its stdin to end (the pod is stopped, or the whole sandbox was killed), then ends whatever has the pod's id in its
 * environment: a process in a session of its own is in no group that could be ended. Thrice, as processes make others meanwhile.
 * Where there is no /proc, the group of the start command.
 */
const REAPER = `trap '' HUP INT TERM
group=
while read -r line; do group=$line; done
for _ in 1 2 3; do
  found=$(grep -alF "RUNPOD_POD_ID=$1" /proc/[0-9]*/environ 2>/dev/null)
  [ -n "$found" ] || break
  for file in $found; do
    pid=\${file#/proc/}; kill -9 "\${pid%/environ}" 2>/dev/null
  done
done
[ -z "$group" ] || kill -9 "-$group" 2>/dev/null
exit 0`

export type PodProcesses = {
  /** Runs the arguments of the order as the container's first process; '' runs nothing, as the image's own command only waits. */
  start(args: string, env: Record<string, string>): Promise<void>
  /** Ends everything that runs in the pod, whoever started it. Idempotent. */
  stop(): Promise<void>
}

/** Ends what a sandbox that was killed may have left of this pod, before anything new starts. */
export async function openProcesses(
  podId: string,
  how: { dir: string; binDir: string; log(line: string): void },
): Promise<PodProcesses> {
  const reap = () => {
    const child = spawn('/bin/sh', ['-c', REAPER, 'reaper', podId], {
      stdio: ['pipe', 'ignore', 'ignore'],
      env: { PATH: SYSTEM_PATH },
      detached: true,
    })
    child.stdin?.on('error', () => {})
    return { child, over: exitOf(child) }
  }
  const before = reap()
  before.child.stdin?.end()
  await before.over
  const reaper = reap()
  let first: Promise<void> | null = null
  return {
    async start(args, env) {
      await mkdir(how.binDir, { recursive: true })
      await writeFile(join(how.binDir, 'start.sh'), START_SH, { mode: 0o755 })
      const [file, ...rest] = commandOf(args, how.binDir)
      if (file === undefined) return
      const home = await realpath(how.dir)
      const child = spawn(file, rest, {
        cwd: home,
        env: { USER: 'root', ...env, HOME: home, PATH: `${how.binDir}:${env.PATH ?? SYSTEM_PATH}` },
        stdio: ['ignore', 'pipe', 'pipe'],
        detached: true,
      })
      for (const stream of [child.stdout, child.stderr]) createInterface({ input: stream }).on('line', how.log)
      child.on('error', error => how.log(`OCI runtime create failed: ${error.message}`))
      if (child.pid !== undefined) reaper.child.stdin?.write(`${child.pid}\n`)
      first = exitOf(child)
    },
    async stop() {
      reaper.child.stdin?.end()
      await Promise.all([reaper.over, first])
    },
  }
}

/** A pod has no root folder of its own here: the one absolute path that start commands name is led to the pod's own. */
function commandOf(args: string, binDir: string): string[] {
  if (args === '') return []
  const local = (text: string) => text.replaceAll(/(?<![\w./-])\/start\.sh\b/g, join(binDir, 'start.sh'))
  const given = listsOf(args)
  return (given ?? ['/bin/sh', '-c', args]).map(local)
}

/** null: it is the plain form. */
function listsOf(args: string): string[] | null {
  try {
    const { entrypoint = [], cmd = [] } = JSON.parse(args) as { entrypoint?: string[]; cmd?: string[] }
    return [...entrypoint, ...cmd]
  } catch {
    return null
  }
}

const exitOf = (child: ChildProcess) =>
  new Promise<void>(resolve => {
    child.once('exit', () => resolve())
    child.once('error', () => resolve())
  })

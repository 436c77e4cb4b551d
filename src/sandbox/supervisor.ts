// What keeps ComfyUI running in a simulated pod, as supervisord does in many images: `supervisorctl restart comfyui` starts it anew.
// Words as printed by supervisorctl 4.2 (2026); a ComfyUI that ended stays away until somebody asks, as with autorestart=false.
import { type FSWatcher, watch } from 'node:fs'
import { chmod, mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { quoted } from './ssh/tools.ts'

export type Supervisor = { close(): void }

/** Writes `supervisorctl` into `binDir`. `restart` is awaited before the command ends; orders that come meanwhile are one with it. */
export async function openSupervisor(
  dir: string,
  binDir: string,
  restart: () => Promise<void>,
  failed: (error: Error) => void,
): Promise<Supervisor> {
  const box = join(dir, 'run', 'supervisor')
  await mkdir(box, { recursive: true })
  const script = join(binDir, 'supervisorctl')
  await writeFile(script, supervisorctl(box))
  await chmod(script, 0o755)
  let busy = false
  const obey = async () => {
    if (busy) return
    busy = true
    await restart().catch(failed)
    await rm(join(box, 'restart'), { force: true })
    busy = false
  }
  const watcher: FSWatcher = watch(box, (_event, name) => {
    if (name === 'restart') void obey()
  })
  watcher.on('error', failed)
  return { close: () => watcher.close() }
}

const supervisorctl = (box: string) => `#!/bin/sh
# supervisorctl of a simulated pod
box=${quoted(box)}
case $1 in
  status) echo 'comfyui                          RUNNING   pid 31, uptime 0:04:12';;
  restart)
    [ "$2" = comfyui ] || { echo "$2: ERROR (no such process)"; exit 1; }
    : > "$box/restart"
    tries=0
    while [ -e "$box/restart" ]; do
      tries=$((tries + 1))
      [ "$tries" -le 300 ] || { echo 'comfyui: ERROR (abnormal termination)'; exit 1; }
      sleep 0.1
    done
    echo 'comfyui: stopped'
    echo 'comfyui: started';;
  *) echo "*** Unknown syntax: $*"; exit 1;;
esac
`

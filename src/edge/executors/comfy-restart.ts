// Starts a pod's ComfyUI anew: by the image's supervisor where it has one, else by ending its process, which some images start again;
// where nobody does, by its own command line, folder and environment, which were noted while it lived.
import { Fault } from '../../domain/fault.ts'
import type { Machine } from '../../ports.ts'
import { lastWords } from '../untrusted.ts'

/** The notes hold the pod's environment: nobody else on it is to read them. */
const prelude = `
umask 077
notes=\${HOME:-/tmp}/.autopod-comfyui
supervised() { command -v supervisorctl >/dev/null 2>&1 && supervisorctl status 2>/dev/null | awk 'tolower($1) ~ /comfy/ { print $1; exit }'; }
# Prints the process id of the first ComfyUI.
process() {
  for p in $(grep -l 'main\\.py' /proc/[0-9]*/cmdline 2>/dev/null); do
    p=\${p%/cmdline}
    main=$( (tr '\\000' '\\n' < "$p/cmdline" | grep -m 1 -E '(^|/)main\\.py$') 2>/dev/null) || continue
    cwd=$(readlink "$p/cwd" 2>/dev/null) || continue
    case "$main" in
      /*) dir=\${main%/*} ;;
      */*) dir=$cwd/\${main%/*} ;;
      *) dir=$cwd ;;
    esac
    if [ -n "$COMFYUI_DIR" ] && ! [ "$dir" -ef "$COMFYUI_DIR" ]; then continue; fi
    if [ -d "$dir/comfy" ]; then echo "\${p#/proc/}"; return 0; fi
  done
  return 1
}
note() {
  mkdir -p "$notes" && cat "/proc/$1/cmdline" > "$notes/cmdline" && cat "/proc/$1/environ" > "$notes/environ" &&
    readlink "/proc/$1/cwd" > "$notes/cwd"
}
`

const remember = `${prelude}
[ -z "$(supervised)" ] || exit 0
pid=$(process) && note "$pid"
`

// Five seconds are what a supervising loop in a start script takes at most; a killed process holds its port for less than that.
const restart = `${prelude}
name=$(supervised)
if [ -n "$name" ]; then supervisorctl restart "$name"; exit; fi
if pid=$(process); then
  note "$pid"
  kill -9 "$pid" || exit 1
  for _ in 1 2 3 4 5; do
    sleep 1
    now=$(process) && [ "$now" != "$pid" ] && exit 0
  done
fi
[ -s "$notes/cmdline" ] && cd "$(cat "$notes/cwd")" || { echo 'its command line is not known' >&2; exit 1; }
out=$notes/log
if [ -w /proc/1/fd/1 ]; then out=/proc/1/fd/1; fi
setsid sh -c 'cat "$0/environ" "$0/cmdline" | xargs -0 env -i' "$notes" >> "$out" 2>&1 < /dev/null &
`

/** Notes how the ComfyUI that answers was started. What fails is only missing later. */
export async function rememberComfy(machine: Machine, signal: AbortSignal): Promise<void> {
  await machine.exec(remember, { timeoutMs: 15_000, signal }).catch((error: unknown) => {
    if (!(error instanceof Fault)) throw error
  })
}

/** Faults: pod `restart_impossible`, and those of `exec`. */
export async function restartComfy(machine: Machine, signal: AbortSignal): Promise<void> {
  const { code, stderr } = await machine.exec(restart, { timeoutMs: 60_000, signal })
  if (code === 0) return
  const why = lastWords(stderr) || `the command ended with ${code}`
  throw new Fault({ kind: 'pod', code: 'restart_impossible', message: `ComfyUI could not be started anew: ${why}` })
}

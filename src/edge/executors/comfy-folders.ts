// Where ComfyUI keeps its files on a pod: told by its own command line, else found through its process, else in usual places.
import { posix } from 'node:path'
import { Fault } from '../../domain/fault.ts'
import type { Machine } from '../../ports.ts'

/** Absolute paths on the pod, without a trailing slash. */
export type ComfyFolders = { input: string; output: string; temp: string }

/** Where images and templates of RunPod, Vast and others put it (seen 2025 to 2026); `$HOME` is expanded on the pod. */
const candidates = [
  '/workspace/ComfyUI',
  '/workspace/runpod-slim/ComfyUI',
  '/ComfyUI',
  '/opt/ComfyUI',
  '/root/ComfyUI',
  '/comfyui',
]

// Prints "<folder of main.py><TAB><working folder>" of the first process or place that is a ComfyUI.
const search = `
for p in /proc/[0-9]*; do
  main=$( (tr '\\000' '\\n' < "$p/cmdline" | grep -m 1 -E '(^|/)main\\.py$') 2>/dev/null) || continue
  cwd=$(readlink "$p/cwd" 2>/dev/null) || continue
  case "$main" in
    /*) dir=\${main%/*} ;;
    */*) dir=$cwd/\${main%/*} ;;
    *) dir=$cwd ;;
  esac
  if [ -d "$dir/comfy" ]; then printf '%s\\t%s\\n' "$dir" "$cwd"; exit 0; fi
done
for dir in "$COMFYUI_DIR" ${candidates.join(' ')} "$HOME/ComfyUI"; do
  if [ -n "$dir" ] && [ -f "$dir/main.py" ]; then printf '%s\\t%s\\n' "$dir" "$dir"; exit 0; fi
done
exit 1
`

/** @param argv the server's own command line. Faults: pod `comfy_folder_unknown`, and those of `exec`. */
export async function findFolders(argv: string[], machine: Machine, signal: AbortSignal): Promise<ComfyFolders> {
  const main = argv[0] ?? ''
  const told = resolveFolders(argv, posix.isAbsolute(main) ? posix.dirname(main) : null, null)
  if (told) return told
  const found = await machine.exec(search, { timeoutMs: 30_000, signal })
  const [home, cwd] = found.stdout.trimEnd().split('\t')
  const folders = found.code === 0 && home && cwd ? resolveFolders(argv, home, cwd) : null
  if (folders) return folders
  throw new Fault({
    kind: 'pod',
    code: 'comfy_folder_unknown',
    message: "ComfyUI answers, but its folder was found neither in its command line nor in the pod's usual places",
    hint: 'Set COMFYUI_DIR in the pod to the folder that holds main.py.',
  })
}

/** null when something is relative and what it is relative to is not known. */
function resolveFolders(argv: string[], home: string | null, cwd: string | null): ComfyFolders | null {
  const at = (folder: string | null, from: string | null) => {
    if (folder === null) return null
    return posix.isAbsolute(folder) ? posix.normalize(folder) : from === null ? null : posix.join(from, folder)
  }
  const flag = (name: string) => at(flagValue(argv, name), cwd)
  const baseFlag = flagValue(argv, '--base-directory')
  const base = baseFlag === null ? home : at(baseFlag, cwd)
  const folder = (name: string) =>
    flagValue(argv, `--${name}-directory`) === null ? at(name, base) : flag(`--${name}-directory`)
  const input = folder('input')
  const output = folder('output')
  // `--temp-directory D` means `D/temp` (ComfyUI 0.33.0).
  const tempFlag = flagValue(argv, '--temp-directory')
  const temp = at('temp', tempFlag === null ? base : at(tempFlag, cwd))
  if (input === null || output === null || temp === null) return null
  return { input: trim(input), output: trim(output), temp: trim(temp) }
}

function flagValue(argv: string[], name: string): string | null {
  const at = argv.findIndex(arg => arg === name || arg.startsWith(`${name}=`))
  const arg = argv[at]
  if (arg === undefined) return null
  return arg === name ? (argv[at + 1] ?? null) : arg.slice(name.length + 1)
}

const trim = (folder: string) => (folder.length > 1 ? folder.replace(/\/+$/, '') : folder)

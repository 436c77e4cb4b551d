// The programs of a simulated pod that a controller calls: nvidia-smi, in the format of the real one.
// Format as printed by nvidia-smi 550.127.05 (A40) and described by `nvidia-smi --help-query-gpu`, 2026-08.
import { createHash } from 'node:crypto'
import { mkdir, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

export type Gpu = {
  /** As nvidia-smi names it: "NVIDIA A40". */
  name: string
  memoryMiB: number
  /** 0: a pod that came without its GPU; nvidia-smi then says "No devices were found" and exits with 6. */
  count: number
}

/**
 * Writes `nvidia-smi` into binDir.
 * @param gaugeFile one line `util memUtil usedMiB`, read anew for every sample; missing or malformed: idle
 */
export async function writeTools(binDir: string, gpu: Gpu, gaugeFile: string): Promise<void> {
  await mkdir(binDir, { recursive: true })
  const path = join(binDir, 'nvidia-smi')
  // A shell that is just reading the old script must not find half of the new one.
  await writeFile(`${path}.new`, nvidiaSmi(gpu, gaugeFile, uuids(binDir, gpu.count)), { mode: 0o755 })
  await rename(`${path}.new`, path)
}

function uuids(seed: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => {
    const hex = createHash('sha256').update(`${seed} ${index}`).digest('hex')
    return `GPU-${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20, 32)}`
  })
}

/** One word of sh. */
export function quoted(value: string): string {
  return `'${value.replaceAll("'", `'\\''`)}'`
}

function nvidiaSmi(gpu: Gpu, gaugeFile: string, ids: string[]): string {
  return `#!/bin/sh
# nvidia-smi of a simulated pod
name=${quoted(gpu.name)}
total=${gpu.memoryMiB}
count=${gpu.count}
uuids=${quoted(ids.join(' '))}
gauge=${quoted(gaugeFile)}
driver=550.127.05

query= format= pause= list= only=
seconds() { case $1 in ''|*[!0-9.]*) echo "Invalid combination of input arguments. Please run 'nvidia-smi -h' for help."; exit 1;; esac; }
while [ $# -gt 0 ]; do
  case $1 in
    --query-gpu=*) query=\${1#*=};;
    --format=*) format=\${1#*=};;
    -l|--loop) if [ $# -gt 1 ]; then shift; pause=$1; else pause=5; fi; seconds "$pause";;
    --loop=*) pause=\${1#*=}; seconds "$pause";;
    -lms|--loop-ms) shift; seconds "\${1-}"; pause=$(printf '%d.%03d' $(($1 / 1000)) $(($1 % 1000)));;
    --loop-ms=*|-lms=*) ms=\${1#*=}; seconds "$ms"; pause=$(printf '%d.%03d' $((ms / 1000)) $((ms % 1000)));;
    -L|--list-gpus) list=1;;
    -i|--id) shift; only=\${1-};;
    --id=*|-i=*) only=\${1#*=};;
    *) echo "ERROR: Option $1 is not recognized. Please run 'nvidia-smi -h'."; exit 2;;
  esac
  shift
done

if [ "$count" -eq 0 ]; then echo 'No devices were found'; exit 6; fi

number() { case $1 in ''|*[!0-9]*) echo 0;; *) echo "$1";; esac; }
sample() {
  util= mem= used=
  if [ -r "$gauge" ]; then read -r util mem used rest < "$gauge"; fi
  util=$(number "$util") mem=$(number "$mem") used=$(number "$used")
  if [ "$util" -gt 0 ]; then pstate=P0; else pstate=P8; fi
  temp=$((31 + util * 43 / 100))
  watts=$((22 + util * 268 / 100))
}
uuid_of() { set -- "$1" $uuids; shift "$(($1 + 1))"; echo "$1"; }

has() { case ,$format, in *,"$1",*) return 0;; esac; return 1; }
unit() { if has nounits; then out=$1; else out="$1 $2"; fi; }
field() { # name, GPU number: the value in $out
  case $1 in
    name|gpu_name) out=$name;;
    uuid|gpu_uuid) out=$(uuid_of "$2");;
    index) out=$2;;
    count) out=$count;;
    utilization.gpu) unit "$util" %;;
    utilization.memory) unit "$mem" %;;
    memory.used) unit "$used" MiB;;
    memory.total) unit "$total" MiB;;
    memory.free) unit "$((total - used))" MiB;;
    temperature.gpu) out=$temp;;
    power.draw) unit "$watts.$((util % 10))0" W;;
    driver_version) out=$driver;;
    pstate) out=$pstate;;
    *) printf 'Field "%s" is not a valid field to query.\\n\\n' "$1"; exit 2;;
  esac
}
title() {
  case $1 in
    utilization.*) echo "$1 [%]";;
    memory.*) echo "$1 [MiB]";;
    power.draw) echo "$1 [W]";;
    *) echo "$1";;
  esac
}
row() { # 'title', or a GPU number
  line=
  rest=$query,
  while [ -n "$rest" ]; do
    one=\${rest%%,*}
    rest=\${rest#*,}
    one=\${one# }
    if [ "$1" = title ]; then field "$one" 0; out=$(title "$one"); else field "$one" "$1"; fi
    line="$line\${line:+, }$out"
  done
  printf '%s\\n' "$line"
}
each() { # a command, called with the number of every GPU that was asked for
  at=0
  while [ "$at" -lt "$count" ]; do
    if [ -z "$only" ] || [ "$only" = "$at" ]; then "$@" "$at"; fi
    at=$((at + 1))
  done
}

listed() { printf 'GPU %s: %s (UUID: %s)\\n' "$1" "$name" "$(uuid_of "$1")"; }
boxed() {
  printf '|%4s  %-32s | %14s | %17s |\\n' "$1" "$name" "$temp C  $pstate $watts W" "GPU-Util  $util %"
  printf '|      %-32s | %14s | %17s |\\n' '' '' "$used / $total MiB"
}
table() {
  date '+%a %b %e %H:%M:%S %Y'
  rule='+---------------------------------------+----------------+-------------------+'
  printf '%s\\n| NVIDIA-SMI %-13s Driver Version: %-13s CUDA Version: 12.4      |\\n%s\\n' "$rule" "$driver" "$driver" "$rule"
  each boxed
  echo "$rule"
}
answer() {
  sample
  if [ -n "$list" ]; then each listed; elif [ -n "$query" ]; then each row; else table; fi
}

if [ -n "$query" ]; then
  has csv || { echo '"--format=" switch is missing or invalid.'; exit 2; }
  sample
  if has noheader; then (row title) > /dev/null || row title; else row title; fi
fi
answer
while [ -n "$pause" ]; do
  sleep "$pause"
  answer
done
`
}

// The agent's middle part: ComfyUI brought to rest, its outputs and logs into the bucket or onto the volume, the manifest last.
import { DIGEST_FUNCTION } from '../ssh/digest.ts'

/** One PUT carries 5 GiB (S3 and R2, 2026-08); what is older than the newest that fit stays behind and is listed as such. */
const TAR_BYTES_MAX = 4_900_000_000

/** Places of ComfyUI in usual images (seen 2025 to 2026), as the executor knows them. */
const PLACES = '/workspace/ComfyUI /workspace/runpod-slim/ComfyUI /ComfyUI /opt/ComfyUI /root/ComfyUI /comfyui'

const COMFY_FUNCTIONS = `comfy=\${AUTOPOD_COMFY_URL:-http://127.0.0.1:8188}
comfy_get() { curl -sf --connect-timeout 3 --max-time 10 "$comfy$1"; }
comfy_post() { curl -sf --connect-timeout 3 --max-time 10 -o /dev/null -H 'Content-Type: application/json' -d "$2" "$comfy$1"; }

# A server that takes the connection and then is silent is computing: 28, curl's time-out.
prompt_runs() {
  queue=$(comfy_get /queue)
  code=$?
  if [ "$code" -eq 28 ]; then return 0; fi
  [ "$code" -eq 0 ] && ! printf '%s' "$queue" | tr -d ' \\t\\n' | grep -qF '"queue_running":[]'
}

# Processes of this pod that are a ComfyUI. The pod's id in their environment keeps from those of other pods and of the host,
# which a pod of the embedded cloud sees as well.
comfy_pids() {
  for p in /proc/[0-9]*; do
    tr '\\000' '\\n' 2>/dev/null < "$p/cmdline" | grep -qE '(^|/)main\\.py$' || continue
    [ -z "$pod_id" ] || tr '\\000' '\\n' 2>/dev/null < "$p/environ" | grep -qxF "RUNPOD_POD_ID=$pod_id" || continue
    echo "\${p#/proc/}"
  done
}

free_gpu() {
  comfy_post /interrupt '{}'
  comfy_post /free '{"unload_models": true, "free_memory": true}'
}

flag() { printf '%s' "$told" | sed -n "s/.*\\"--$1\\", *\\"\\([^\\"]*\\)\\".*/\\1/p; s/.*\\"--$1=\\([^\\"]*\\)\\".*/\\1/p" | head -n 1; }

# Asked for while ComfyUI lives, as at the end it may not: its own command line, its process, usual places.
find_output() {
  if [ -n "$output" ] && [ -d "$output" ]; then return; fi
  told=$(comfy_get /system_stats | tr -d '\\n')
  for output in "$(flag output-directory)" "$(flag base-directory)/output"; do
    case $output in /output) ;; /*) if [ -d "$output" ]; then return; fi;; esac
  done
  for p in $(comfy_pids); do
    output=$(readlink "/proc/$p/cwd")/output
    if [ -d "$output" ]; then return; fi
  done
  for place in "$COMFYUI_DIR" "$HOME/ComfyUI" ${PLACES}; do
    output=$place/output
    if [ -n "$place" ] && [ -d "$output" ]; then return; fi
  done
  output=
}`

const JSON_FUNCTIONS = `# Any text as the inside of a JSON string, on one line.
json_text() {
  LC_ALL=C tr '\\t\\r' '  ' | LC_ALL=C tr -d '\\000-\\011\\013-\\037\\177' | sed 's/\\\\/\\\\\\\\/g; s/"/\\\\"/g' | awk '{ printf "%s%s", $0, "\\\\n" }'
}
json_name() { printf '%s' "$1" | sed 's/\\\\/\\\\\\\\/g; s/"/\\\\"/g'; }
${DIGEST_FUNCTION}
digest_of() { s=$(digest < "$1"); printf '%s' "\${s%% *}"; }`

const COLLECT_FUNCTIONS = `# Where what is left goes: the pod's volume when it has one, else beside this script. In the embedded cloud HOME is the root.
choose_place() {
  place=$d/farewell; root=none
  volume=$(setting volume)
  if [ -n "$volume" ] && [ -n "$RUNPOD_VOLUME_ID" ]; then
    for root in "$HOME$volume" "$volume"; do
      if [ -d "$root" ] && [ -w "$root" ]; then place=$root/.autopod/farewell/$(setting pod); break; fi
    done
  fi
  mkdir -p "$place"
  # What lies on the volume already needs no second place there.
  stays=
  case $output in "$root"/*) if [ "$place" != "$d/farewell" ] && [ -z "$(setting tar_url)" ]; then stays=yes; fi;; esac
}

# rows: the manifest's entries of the files since the first start, newest first; stage: links to those that fit into the tar,
# because not every tar takes a list of names (busybox on Debian 12).
list_outputs() {
  rm -rf "$d/stage"; mkdir -p "$d/stage"; true > "$place/rows"; sum=0
  [ -n "$output" ] && cd "$output" || return 0
  find . -type f -newer "$d/since" ! -name '*[[:cntrl:]]*' ! -path '*/.autopod/*' > "$d/found" 2>/dev/null
  while IFS= read -r file; do
    # GNU and busybox, then BSD.
    stat -c '%Y %s %n' "$file" 2>/dev/null || stat -f '%m %z %N' "$file" 2>/dev/null
  done < "$d/found" | sort -rn > "$d/sorted"
  while IFS=' ' read -r at bytes file; do
    [ -f "$file" ] || continue
    file=\${file#./}
    fits=false
    if [ $((sum + bytes)) -le ${TAR_BYTES_MAX} ] && mkdir -p "$d/stage/$(dirname "./$file")" && ln -s "$output/$file" "$d/stage/$file"; then
      fits=true; sum=$((sum + bytes))
    fi
    printf '{"path":"%s","bytes":%s,"sha256":"%s","saved":%s}\\n' "$(json_name "$file")" "$bytes" "$(digest_of "./$file")" "$fits" >> "$place/rows"
  done < "$d/sorted"
  cd / || return 0
}

# 1: a file changed meanwhile, which is no reason to lose the others.
pack() {
  [ "$sum" -gt 0 ] || return 1
  tar -chf "$place/outputs.tar" -C "$d/stage" . 2>/dev/null
  [ $? -le 1 ] && [ -s "$place/outputs.tar" ]
}

upload() {
  url=$(setting "$1")
  [ -n "$url" ] || return 1
  ask "url = \\"$url\\"" -f -o /dev/null -H 'Expect:' --connect-timeout 10 --speed-limit 1 --speed-time 60 --max-time 3600 -T "$2"
  code=$?
  if [ "$code" -ne 0 ]; then say "upload of \${2##*/} failed: curl $code"; return 1; fi
}

# The outputs are worth as much time as a usual lease: a bucket that is away for longer costs more than they do.
upload_patiently() {
  [ -n "$(setting "$1")" ] || return 1
  wait_ms=$((tick_ms / 2 + 1))
  until upload "$1" "$2"; do
    tell_time
    if [ "$now_ms" -ge "$save_by_ms" ]; then return 1; fi
    nap "$wait_ms"
    wait_ms=$((wait_ms * 2))
  done
}

# The manifest goes last: where it is, what it names is, too.
save() {
  tell_time
  save_by_ms=$((now_ms + $(number patience_ms 600000)))
  choose_place
  list_outputs
  tar=null; tar_at=null
  if [ -n "$stays" ]; then tar_at='"volume"'
  elif pack; then
    tar=$(printf '{"bytes":%s,"sha256":"%s"}' "$(($(wc -c < "$place/outputs.tar")))" "$(digest_of "$place/outputs.tar")")
    tar_at='"pod"'
    if [ "$place" != "$d/farewell" ]; then tar_at='"volume"'; fi
    if upload_patiently tar_url "$place/outputs.tar"; then tar_at='"bucket"'; fi
  fi
  # A JSON string already, with the last 300 lines (ComfyUI 0.33.0).
  logs=$(comfy_get /internal/logs)
  case $logs in '"'*'"') ;; *) logs=null;; esac
  # Which files are whose, and whether they are all: the names alone do not tell. Asked before ComfyUI may be killed.
  history=$(comfy_get '/history?max_items=8') || history=null
  case $history in '{'*'}') ;; *) history=null;; esac
  {
    printf '{"version":1,"pod":"%s","podId":"%s","reason":"%s","prompt":"%s",' "$(setting pod)" "$pod_id" "$1" "$prompt"
    printf '"ageMs":%s,"silentMs":%s,"tar":%s,"tarAt":%s,"files":[' "$((now_ms - born_ms))" "$((now_ms - seen_ms))" "$tar" "$tar_at"
    sed '$!s/$/,/' "$place/rows"
    printf '],"log":"%s","comfyLog":' "$(tail -n 200 "$d/guard.log" | json_text)"
    printf '%s,"history":%s}\\n' "$logs" "$history"
  } > "$place/farewell.json"
  if upload_patiently json_url "$place/farewell.json"; then say "farewell is in the bucket, outputs: $tar_at"; else say "farewell is at $place"; fi
}`

export const SAVE_FUNCTIONS = [COMFY_FUNCTIONS, JSON_FUNCTIONS, COLLECT_FUNCTIONS].join('\n\n')

// The agent's last part: the policy at the end of a lease, and the calls by which a pod ends itself.

/**
 * Every published way (REST v2 OpenAPI, 2026-08; v1 until 2026-11-15, GraphQL until early 2027), then the image's own tool.
 * The key that RunPod puts into each pod may do this to its own pod and nothing else (measured by three projects, 2026).
 */
const TERMINATE_FUNCTIONS = `# Only the container's first process has them for sure; own variables come first, as a pod of the embedded cloud sees the
# host's first process.
know_pod() {
  pod_id=$RUNPOD_POD_ID; pod_key=$RUNPOD_API_KEY; api=$RUNPOD_API_URL
  if [ -z "$pod_id" ]; then
    own=$(tr '\\000' '\\n' 2>/dev/null < /proc/1/environ)
    of() { printf '%s\\n' "$own" | sed -n "s/^$1=//p" | head -n 1; }
    pod_id=$(of RUNPOD_POD_ID); pod_key=$(of RUNPOD_API_KEY); api=$(of RUNPOD_API_URL)
    RUNPOD_VOLUME_ID=$(of RUNPOD_VOLUME_ID); COMFYUI_DIR=$(of COMFYUI_DIR)
  fi
  # Whoever sets another address for v2 means the other forms as well: nothing may reach the real service from a sandbox.
  if [ -n "$api" ]; then v1=\${api%/v2}/v1; graphql=\${api%/v2}/graphql
  else api=https://api.runpod.io/v2; v1=https://rest.runpod.io/v1; graphql=https://api.runpod.io/graphql; own_tool=yes; fi
}

# call NAME METHOD URL [BODY, quotes escaped]: whether the service says that it does it.
call() {
  config=$(printf 'url = "%s"\\nrequest = "%s"\\nheader = "Authorization: Bearer %s"' "$3" "$2" "$pod_key")
  if [ -n "$4" ]; then config=$(printf '%s\\nheader = "Content-Type: application/json"\\ndata = "%s"' "$config" "$4"); fi
  status=$(ask "$config" --connect-timeout 10 --max-time 30 -o "$d/answer" -w '%{http_code}')
  code=$?
  # Asked twice, for want of certificates: the last three digits count.
  status=\${status#"\${status%???}"}
  say "terminate by $1: http \${status:-000}, curl $code"
  case $status in 2??) ! { [ "$1" = GraphQL ] && grep -q '"errors"' "$d/answer"; };; *) return 1;; esac
}

terminate_once() {
  call 'v2 action' POST "$api/pods/$pod_id/action" '{\\"action\\":\\"terminate\\"}' ||
    call 'v2 delete' DELETE "$api/pods/$pod_id" ||
    call 'v1 delete' DELETE "$v1/pods/$pod_id" ||
    call GraphQL POST "$graphql" '{\\"query\\":\\"mutation { podTerminate(input: {podId: \\\\\\"'"$pod_id"'\\\\\\"}) }\\"}' ||
    by_own_tool
}

# For images without curl; both spellings of its versions.
by_own_tool() {
  [ -n "$own_tool" ] && command -v runpodctl >/dev/null 2>&1 || return 1
  say 'terminate by runpodctl'
  RUNPOD_API_KEY=$pod_key runpodctl pod delete "$pod_id" >/dev/null 2>&1 || RUNPOD_API_KEY=$pod_key runpodctl remove pod "$pod_id" >/dev/null 2>&1
}

# A yes is no proof: the proof is that this process is gone. So it never ends, from one tick to twelve (5 s to 60 s) apart.
terminate() {
  wait_ms=$tick_ms
  rounds=0
  while :; do
    still_mine
    terminate_once
    nap "$wait_ms"
    wait_ms=$((wait_ms * 2))
    if [ "$wait_ms" -gt $((tick_ms * 12)) ]; then wait_ms=$((tick_ms * 12)); fi
    rounds=$((rounds + 1))
    free_gpu
    # The memory of a GPU that cannot be given back is freed the hard way.
    if [ "$rounds" -eq 3 ]; then for p in $(comfy_pids); do kill "$p"; done; fi
    if [ "$rounds" -gt 3 ]; then for p in $(comfy_pids); do kill -9 "$p"; done; fi
  done
}`

const FINISH_FUNCTIONS = `stay() {
  rm -f "$d/ending" "$d/tries" "$d/parting"
  say 'renewed while ending: the pod stays'
}

# Comes back only when the owner does, while the running prompt still has its grace.
finish() {
  echo "$1" > "$d/ending"
  say "ending the pod: $1"
  prompt=none
  # A container that crashes before its outputs are saved must not go on trying for ever.
  echo "$1" >> "$d/tries"
  if [ "$(($(wc -l < "$d/tries")))" -gt 3 ]; then true > "$d/saved"; fi
  if [ ! -f "$d/saved" ]; then
    comfy_post /queue '{"clear": true}'
    tell_time
    grace_by_ms=$((now_ms + grace_ms))
    while prompt_runs; do
      prompt=finished
      if [ "$1" = lease ] && look_for_renewal; then stay; return; fi
      tell_time
      if [ "$now_ms" -ge "$grace_by_ms" ]; then prompt=interrupted; break; fi
      nap "$tick_ms"
    done
    # From here on whoever attaches is told that it is too late; who did so a moment before is still heard.
    true > "$d/parting"
    if [ "$1" = lease ] && look_for_renewal; then stay; return; fi
    free_gpu
    # An interrupt works at the next step; a node without steps runs to its end (ComfyUI 0.33.0).
    for _ in 1 2; do if [ "$prompt" = interrupted ] && prompt_runs; then nap "$tick_ms"; fi; done
    save_in_time "$1"
  fi
  terminate
}

# By itself, so that whatever goes wrong there (a full disk, a volume that hangs) only costs time, and not for ever.
save_in_time() {
  ( ( find_output; save "$1" ); true > "$d/saved" ) &
  saver=$!
  tell_time
  by_ms=$((now_ms + $(number patience_ms 600000) * 3))
  while [ ! -f "$d/saved" ] && kill -0 "$saver" 2>/dev/null && [ "$now_ms" -lt "$by_ms" ]; do nap "$tick_ms"; tell_time; done
  kill "$saver" 2>/dev/null
  true > "$d/saved"
}`

export const END_FUNCTIONS = [TERMINATE_FUNCTIONS, FINISH_FUNCTIONS].join('\n\n')

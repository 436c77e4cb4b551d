// The agent on a pod that ends it when its owner is gone: POSIX sh (dash, busybox), curl, tar, and nothing else of ours.
//
//   watching ──no renewal for lease_ms, or older than deadline_ms──▶ ending: queue cleared, the running prompt may finish
//      ▲                                                                │            │ (grace_ms)
//      └────────────── renewed meanwhile (lease only) ──────────────────┘            ▼
//                                               interrupted, outputs saved, farewell written ──▶ terminate, for ever
//
// Files, in $HOME/.autopod/<pod name>/ (0700): guard.sh · settings (`name value` lines, with signed URLs: 0600) · lease (last
// renewal over SSH) · ca.pem · lock/pid · state · since (its time: the first start) · ending (why) · parting (no way back) ·
// saved · guard.log · farewell/
//
// Time is the pod's own: CLOCK_BOOTTIME of /proc/uptime, counted from the last renewal that was *seen* (other content than
// before), so that neither two clocks that disagree nor a clock that is set can end a pod or keep it alive.
import { END_FUNCTIONS } from './script-end.ts'
import { SAVE_FUNCTIONS } from './script-save.ts'

/** Whether the process that holds the lock lives: a process id alone may be another program's after a container's restart. */
export const ALIVE_FUNCTION = `alive() {
  IFS= read -r p 2>/dev/null < "$d/lock/pid" && [ -n "$p" ] && kill -0 "$p" 2>/dev/null || return 1
  if [ -r "/proc/$p/cmdline" ]; then tr '\\000' ' ' 2>/dev/null < "/proc/$p/cmdline" | grep -qF "$d/guard.sh"; fi
}`

const BASE_FUNCTIONS = `setting() { sed -n "s/^$1 //p" "$d/settings" 2>/dev/null; }
number() { n=$(setting "$1"); case $n in ''|*[!0-9]*) n=$2;; esac; echo "$n"; }

# The newest half of the log is kept: a pod that cannot be ended goes on for months.
say() {
  printf '%s %s\\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$*" >> "$d/guard.log"
  if [ "$(($(wc -c < "$d/guard.log")))" -gt 65536 ]; then
    tail -c 32768 "$d/guard.log" > "$d/guard.log.new" && mv -f "$d/guard.log.new" "$d/guard.log"
  fi
}

# now_ms. The second part is stripped of its zero: sh would take 08 for a bad octal number.
tell_time() {
  if read -r up rest 2>/dev/null < /proc/uptime; then
    part=\${up#*.}
    now_ms=$((\${up%.*} * 1000 + \${part#0} * 10))
  else
    now_ms=$(($(date +%s) * 1000))
  fi
}

# Some sleeps know whole seconds only; a tick of none at all would burn a core.
nap() {
  if [ $(($1 % 1000)) -eq 0 ]; then sleep $(($1 / 1000)); else sleep "$(($1 / 1000)).$(printf %03d $(($1 % 1000)))" 2>/dev/null || sleep 1; fi
}

# ask CONFIG ARGUMENTS…: curl. Addresses and keys go in by stdin, where ps cannot see them. A service behind Cloudflare refuses
# who names no client. 60 and 77: the image lacks certificates (runpodctl issue 149); the controller's own bundle then serves.
ask() {
  agent=$(setting agent)
  config=$(printf 'user-agent = "%s"\\n%s' "\${agent:-autopod}" "$1"); shift
  printf '%s\\n' "$config" | curl -s -K - "$@"
  code=$?
  if [ -s "$d/ca.pem" ]; then case $code in 60|77)
    printf '%s\\n' "$config" | curl -s -K - --cacert "$d/ca.pem" "$@"
    code=$?;;
  esac; fi
  return "$code"
}`

const LEASE_FUNCTIONS = `# One line: boot id, first start, last renewal, starts since then, last renewals seen over SSH and in the bucket.
keep() { printf '%s\\n' "$boot $born_ms $seen_ms $starts \${by_ssh:--} \${by_bucket:--}" > "$d/state.new" && mv -f "$d/state.new" "$d/state"; }

# A container that starts again gets one more whole lease (a stopped pod was resumed), but only one until somebody renews:
# an image that crashes every minute would else live for ever.
restore() {
  boot=none
  IFS= read -r boot 2>/dev/null < /proc/sys/kernel/random/boot_id
  tell_time
  was=
  read -r was born_ms seen_ms starts by_ssh by_bucket 2>/dev/null < "$d/state"
  if [ "$was" != "$boot" ]; then born_ms=$now_ms; seen_ms=$now_ms; starts=0; fi
  if [ -z "$was" ]; then by_ssh=-; by_bucket=-; fi
  if [ "$starts" -eq 0 ]; then seen_ms=$now_ms; fi
  starts=$((starts + 1))
  [ -f "$d/since" ] || true > "$d/since"
  keep
}

renewed() { seen_ms=$now_ms; starts=0; keep; }

# Renewals are told by their content, never by a time in them. The bucket is asked only when SSH has been silent for a while.
look_for_renewal() {
  tell_time
  word=
  read -r word rest 2>/dev/null < "$d/lease"
  if [ -n "$word" ] && [ "$word" != "$by_ssh" ]; then by_ssh=$word; renewed; return 0; fi
  if [ $((now_ms - seen_ms)) -lt $((lease_ms / 3)) ] || [ "$now_ms" -lt "$poll_ms" ]; then return 1; fi
  poll_ms=$((now_ms + lease_ms / 20))
  url=$(setting lease_url)
  [ -n "$url" ] || return 1
  word=$(ask "url = \\"$url\\"" -f --connect-timeout 10 --max-time 20 | head -c 200 | head -n 1 | tr -cd 'A-Za-z0-9-')
  tell_time
  if [ -n "$word" ] && [ "$word" != "$by_bucket" ]; then by_bucket=$word; renewed; return 0; fi
  return 1
}`

const LIFE = `watch_over() {
  poll_ms=0; find_ms=0
  if [ -f "$d/ending" ]; then IFS= read -r why < "$d/ending"; finish "$why"; fi
  while :; do
    still_mine
    lease_ms=$(number lease_ms 600000); tick_ms=$(number tick_ms 5000); grace_ms=$(number grace_ms 60000)
    look_for_renewal
    if [ "$now_ms" -ge "$find_ms" ]; then find_output; find_ms=$((now_ms + lease_ms / 10)); fi
    if [ $((now_ms - born_ms)) -ge "$(number deadline_ms 86400000)" ]; then finish deadline
    elif [ $((now_ms - seen_ms)) -ge "$lease_ms" ]; then finish lease; fi
    nap "$tick_ms"
  done
}

# The lock is a folder, as making one either works or does not. What a dead holder left is moved away first: of two that
# find it, one moves it. Should both get through, the file has one last writer, and the other one sees that and ends.
# Where nothing can be written (a full disk) the pod is watched over without one.
take_lock() {
  lockless=
  for _ in 1 2 3; do
    if mkdir "$d/lock" 2>/dev/null && echo "$$" > "$d/lock/pid"; then return 0; fi
    if alive; then return 1; fi
    mv "$d/lock" "$d/lock.$$" 2>/dev/null && rm -rf "$d/lock.$$"
  done
  if alive || [ ! -d "$d" ]; then return 1; fi
  lockless=yes
}

still_mine() {
  [ -n "$lockless" ] && [ -d "$d" ] && return
  holder=
  IFS= read -r holder 2>/dev/null < "$d/lock/pid"
  [ "$holder" = "$$" ] || exit 9
}

main() {
  d=\${0%/*}
  umask 077
  trap '' HUP
  cd / || exit 1
  take_lock || exit 0
  # The last process that a pod short of memory should lose; not every container may say so.
  { echo -900 > /proc/$$/oom_score_adj; } 2>/dev/null
  tick_ms=$(number tick_ms 5000); lease_ms=$(number lease_ms 600000); grace_ms=$(number grace_ms 60000)
  know_pod
  restore
  say "watching over \${pod_id:-a pod without an id}: lease $lease_ms ms"
  while :; do
    ( watch_over )
    if [ $? -eq 9 ]; then exit 0; fi
    say 'the watch broke off; it goes on'
    nap "$tick_ms"
    read -r was born_ms seen_ms starts by_ssh by_bucket 2>/dev/null < "$d/state"
  done
}
main; exit`

/** The whole text. It never ends by itself but as a second instance (0): what ends it is the end of its pod. */
export const GUARD_SCRIPT = `#!/bin/sh
${[ALIVE_FUNCTION, BASE_FUNCTIONS, LEASE_FUNCTIONS, SAVE_FUNCTIONS, END_FUNCTIONS, LIFE].join('\n\n')}
`

// What the courier runs on a pod: POSIX sh, with curl where there is one. Signed URLs come on stdin, so that `ps` shows none.
//
// Results are lines on stdout, a word first. An exit code other than 0 means that the pod's disk did not do its part.
import { DIGEST_FUNCTION } from './ssh/digest.ts'
import { quotePath } from './ssh/quote.ts'

/** Shared by both directions. A minute without a byte is a dead link; `Expect` would wait a second for an answer R2 never gives. */
const CURL =
  "curl -fsS -K - -H 'Expect:' --connect-timeout 10 --speed-limit 1 --speed-time 60 --retry 3 --retry-delay 1 " +
  "-w 'http %{http_code}\\n'"

/** A bare `"` or `\` would end the value, curl(1) "-K". */
export const curlConfig = (url: string) => `url = "${url.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"\n`

/**
 * stdin: one absolute path a line. stdout: `tools <curl 0|1>`, then for each path, in order, `file <bytes> <sha256> <md5|->` or
 * `none`. The MD5 is what a bucket calls the ETag of a single PUT.
 */
export const PROBE = `${DIGEST_FUNCTION}
if command -v curl >/dev/null 2>&1; then echo 'tools 1'; else echo 'tools 0'; fi
while IFS= read -r p; do
  if [ -f "$p" ] && [ -r "$p" ]; then
    s=$(digest < "$p"); m=-
    if command -v md5sum >/dev/null 2>&1; then m=$(md5sum < "$p"); fi
    printf 'file %s %s %s\\n' "$(($(wc -c < "$p")))" "\${s%% *}" "\${m%% *}"
  else echo none; fi
done`

/**
 * stdin: curl's config. Goes on behind what `<target>.part` has; a part that turns out wrong is removed. stdout: `at <bytes>`
 * each second; `curl <exit code>`, `http <status>`; at the end `done <sha256>` or `differs <sha256>`.
 * A connection that ended takes curl along: two of them must not write into one part.
 */
export function fetchScript(target: string, bytes: number, sha256: string | null): string {
  return `${DIGEST_FUNCTION}
t=${quotePath(target)}; n=${bytes}; want=${sha256 ?? ''}; p="$t.part"; u=$(cat)
if [ -d "$t" ]; then echo 'a folder has this name' >&2; exit 73; fi
mkdir -p "$(dirname "$t")" && touch "$p" || exit 73
have=$(($(wc -c < "$p")))
if [ "$have" -gt "$n" ]; then : > "$p"; have=0; fi
if [ "$have" -lt "$n" ]; then
  printf '%s\\n' "$u" | ${CURL} -C - -o "$p" &
  c=$!
  ( trap '' PIPE; while sleep 1 >/dev/null 2>&1; do
      printf 'at %s\\n' "$(($(wc -c < "$p")))" 2>/dev/null || { kill "$c"; exit; }
    done ) &
  k=$!
  trap 'kill "$c" "$k" 2>/dev/null; exit 143' HUP INT TERM
  wait "$c"; code=$?
  kill "$k" 2>/dev/null
  echo "curl $code"
  # 33, and 22 with 416: the server cannot go on where the part ends.
  if [ "$code" -eq 33 ]; then rm -f "$p"; fi
  if [ "$code" -ne 0 ]; then exit 0; fi
fi
s=$(digest < "$p"); s=\${s%% *}
if [ "$(($(wc -c < "$p")))" -ne "$n" ] || [ "\${want:-$s}" != "$s" ]; then rm -f "$p"; echo "differs $s"; exit 0; fi
mv -f "$p" "$t" && echo "done $s"`
}

/** What an upload has in common: `$f` is sent. stdout: response headers, `http <status>`, `curl <exit code>`, `md5 <hex|->`. */
const SEND = `m=-
if command -v md5sum >/dev/null 2>&1; then m=$(md5sum < "$f"); fi
printf '%s\\n' "$u" | ${CURL} -T "$f" -D - -o /dev/null
echo "curl $?"; echo "md5 \${m%% *}"`

/** stdin: curl's config. */
export const sendScript = (path: string) => `f=${quotePath(path)}; u=$(cat)
${SEND}`

/**
 * stdin: curl's config. One part of a file, copied out first: a pipe has no length, and a bucket insists on one.
 * @param skip and `count` in MiB
 */
export const sendPartScript = (path: string, skip: number, count: number) => `u=$(cat)
d=$(mktemp -d) || exit 74
trap 'rm -rf "$d"' EXIT; trap 'exit 143' HUP INT TERM PIPE
f="$d/part"
dd if=${quotePath(path)} of="$f" bs=1048576 skip=${skip} count=${count} 2>"$d/why" || { cat "$d/why" >&2; exit 74; }
${SEND}`

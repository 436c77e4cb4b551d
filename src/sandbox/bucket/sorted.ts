// A list of texts kept in the order of their UTF-8 bytes, which is the order S3 lists keys in.

/**
 * Less than 0 when `a` comes first. JavaScript compares UTF-16 units, where the surrogates of characters beyond U+FFFF come
 * before U+E000; in UTF-8 they come after.
 */
export function compareUtf8(a: string, b: string): number {
  const length = Math.min(a.length, b.length)
  for (let at = 0; at < length; at++) {
    const [x, y] = [a.charCodeAt(at), b.charCodeAt(at)]
    if (x !== y) return lifted(x) - lifted(y)
  }
  return a.length - b.length
}

function lifted(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit
}

/** The first place whose text is not before `text`. */
export function place(list: readonly string[], text: string): number {
  let [low, high] = [0, list.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    if (compareUtf8(list[middle] ?? '', text) < 0) low = middle + 1
    else high = middle
  }
  return low
}

export function insert(list: string[], text: string): void {
  const at = place(list, text)
  if (list[at] !== text) list.splice(at, 0, text)
}

export function remove(list: string[], text: string): void {
  const at = place(list, text)
  if (list[at] === text) list.splice(at, 1)
}

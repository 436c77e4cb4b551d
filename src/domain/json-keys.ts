// A key that a JSON object has twice: JSON.parse takes the last without a word.

const tokens = /"(?:[^"\\]+|\\.)*"|[{}[\],]/g

/** The first such key and its line. @param text is JSON */
export function doubledKey(text: string): { key: string; line: number } | null {
  /** The keys of each object that is open; null for a list. */
  const open: (Set<string> | null)[] = []
  let isKeyNext = false
  for (const { 0: token, index } of text.matchAll(tokens)) {
    const keys = open.at(-1)
    if (token === '{') open.push(new Set())
    else if (token === '[') open.push(null)
    else if (token === '}' || token === ']') open.pop()
    else if (token !== ',' && isKeyNext && keys) {
      const key = JSON.parse(token) as string
      if (keys.has(key)) return { key, line: text.slice(0, index).split('\n').length }
      keys.add(key)
    }
    isKeyNext = token === '{' || token === ','
  }
  return null
}

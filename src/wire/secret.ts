// A text that must not be told: whatever prints, logs or serialises it by mistake prints `•••`. Only `reveal` gives it back.

export type Secret = {
  /** For the request that needs it, nowhere else. */
  reveal(): string
  toString(): string
  toJSON(): string
}

const MASK = '•••'
const made = new WeakSet<object>()

export function secretOf(text: string): Secret {
  const hidden = () => MASK
  const secret = Object.freeze({
    reveal: () => text,
    toString: hidden,
    toJSON: hidden,
    [Symbol.toPrimitive]: hidden,
    // What console.log and util.inspect ask (Node.js documentation, "util.inspect.custom").
    [Symbol.for('nodejs.util.inspect.custom')]: hidden,
  })
  made.add(secret)
  return secret
}

export function isSecret(value: unknown): value is Secret {
  return typeof value === 'object' && value !== null && made.has(value)
}

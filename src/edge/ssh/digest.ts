// SHA-256 on a pod, with whatever of the usual programs it has.

/** A shell function `digest`: 64 hex digits of stdin first on its line, whatever program the pod has. */
export const DIGEST_FUNCTION =
  'digest() { if command -v sha256sum >/dev/null 2>&1; then sha256sum; ' +
  'elif command -v shasum >/dev/null 2>&1; then shasum -a 256; else openssl dgst -sha256 -r; fi; }'

/** The digest in what `digest` wrote, or null. */
export const readDigest = (text: string): string | null => /^([0-9a-f]{64})\b/m.exec(text)?.[1] ?? null

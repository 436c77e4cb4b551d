// Key pairs that are whole: ssh2 1.17.0's own generator drops leading zero bytes, so that one ed25519 key of 128 is broken.
import ssh2 from 'ssh2'

export function newKeyPair(): { private: string; public: string } {
  for (;;) {
    const pair = ssh2.utils.generateKeyPairSync('ed25519')
    if (!(ssh2.utils.parseKey(pair.private) instanceof Error)) return pair
  }
}

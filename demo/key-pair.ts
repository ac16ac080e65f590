import ssh2 from 'ssh2';

/**
 * A fresh Ed25519 key pair in OpenSSH format. ssh2 1.17 writes one key in some hundreds in a way that it cannot read
 * itself ("Malformed OpenSSH private key"); such a one is thrown away.
 */
export function newKeyPair(): { readonly private: string; readonly public: string } {
  for (;;) {
    const pair = ssh2.utils.generateKeyPairSync('ed25519');
    if (!(ssh2.utils.parseKey(pair.private) instanceof Error) && !(ssh2.utils.parseKey(pair.public) instanceof Error))
      return pair;
  }
}

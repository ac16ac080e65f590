import ssh2, { type ParsedKey } from 'ssh2';
import { SSHCommandError } from './ssh-failure.ts';

/** Parses a private key; for text that is none, or one behind a passphrase, throws `SSHCommandError` `key_invalid`. */
export function parsePrivateKey(text: string): ParsedKey {
  // A file with several keys gives a list, of which the types do not speak.
  const [key] = [ssh2.utils.parseKey(text)].flat();
  if (key instanceof Error || key === undefined) {
    const reason =
      key && /passphrase|encrypted/i.test(key.message) ? 'it is protected by a passphrase' : 'it is malformed';
    throw new SSHCommandError('key_invalid', 'connect', `the private key cannot be used: ${reason}`);
  }
  if (!key.isPrivateKey())
    throw new SSHCommandError('key_invalid', 'connect', 'the private key cannot be used: it is a public key');
  return key;
}

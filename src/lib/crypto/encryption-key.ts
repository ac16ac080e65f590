import { existsSync, linkSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { dirname } from 'node:path';
import { parseSettings, type Settings } from '../config.ts';
import { ConfigurationError, readEnvironment } from '../environment.ts';

const KEY_BYTES = 32;
const ALLOWED = '32 bytes as 44 characters of base64 or 64 of hex; `wardround keygen` prints a fresh one';

/** A fresh key in the form `ENCRYPTION_KEY` wants. */
export const generateKey = (): string => randomBytes(KEY_BYTES).toString('base64');

function parseKey(text: string, source: string): Buffer {
  const trimmed = text.trim();
  const key = /^[0-9a-f]{64}$/i.test(trimmed)
    ? Buffer.from(trimmed, 'hex')
    : /^[A-Za-z0-9+/_-]{43}=?$/.test(trimmed)
      ? Buffer.from(trimmed, 'base64')
      : Buffer.alloc(0);
  // The value itself is a secret, also when it is wrong: only its length is told.
  if (key.length !== KEY_BYTES)
    throw new ConfigurationError([
      `${source} holds ${trimmed.length} characters that are not a key; allowed: ${ALLOWED}`,
    ]);
  return key;
}

type KeySettings = Pick<Settings, 'encryptionKey' | 'encryptionKeyFile'>;

/** Where the key comes from, for messages. */
export const keySource = ({ encryptionKey, encryptionKeyFile }: KeySettings): string =>
  encryptionKey === null ? `ENCRYPTION_KEY_FILE ${encryptionKeyFile}` : 'ENCRYPTION_KEY';

/** The key of the settings. Throws `ConfigurationError` when there is none, it is malformed, or others may read it. */
export function readKey(settings: KeySettings): Buffer {
  if (settings.encryptionKey !== null) return parseKey(settings.encryptionKey, keySource(settings));
  const file = settings.encryptionKeyFile;
  let text: string;
  let mode: number;
  try {
    text = readFileSync(file, 'utf8');
    mode = statSync(file).mode & 0o777;
  } catch (error) {
    throw new ConfigurationError([
      `ENCRYPTION_KEY is not set and its file ${file} cannot be read (${(error as NodeJS.ErrnoException).code}); allowed: ${ALLOWED}`,
    ]);
  }
  // Windows has no such modes, and Node makes them up.
  if ((mode & 0o077) !== 0 && process.platform !== 'win32')
    throw new ConfigurationError([
      `${keySource(settings)} is open to other users (mode ${mode.toString(8)}); allowed: a file for its owner only. Mend that with: chmod 600 ${file}`,
    ]);
  return parseKey(text, keySource(settings));
}

/**
 * Writes a fresh key to the key file, readable by this user only, unless a key is there already.
 * Returns whether it did. For a database without secrets only: the caller has to know. Throws `ConfigurationError`.
 */
export function createKeyFile(settings: KeySettings): boolean {
  const file = settings.encryptionKeyFile;
  if (settings.encryptionKey !== null || existsSync(file)) return false;
  const refuse = (error: unknown): ConfigurationError =>
    new ConfigurationError([
      `ENCRYPTION_KEY is not set and its file ${file} cannot be made (${(error as NodeJS.ErrnoException).code}); allowed: a file in a folder that this user may write to`,
    ]);
  // Written aside and linked into place: another process sees no key or a whole one, and the first one wins.
  const draft = `${file}.${process.pid}`;
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    // What a process of the same PID has left there would keep its own mode.
    rmSync(draft, { force: true });
    writeFileSync(draft, `${generateKey()}\n`, { mode: 0o600, flag: 'wx' });
  } catch (error) {
    throw refuse(error);
  }
  try {
    linkSync(draft, file);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw refuse(error);
  } finally {
    rmSync(draft);
  }
}

export const keyFromEnvironment = (): Buffer => readKey(parseSettings(readEnvironment()));

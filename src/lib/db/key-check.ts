import type Sqlite from 'better-sqlite3';
import { DecryptionError, decryptToken, encryptToken, keyId } from '../crypto/encryption.ts';

const NAME = 'encryption_key_check';
const PLACE = `metadata.value:${NAME}`;

const storedCheck = (client: Sqlite.Database): string | undefined =>
  client.prepare<[string], string>('SELECT value FROM metadata WHERE name = ?').pluck().get(NAME);

/** Whether the database has been given a key: what is secret in it opens with that one only. */
export const hasKeyCheck = (client: Sqlite.Database): boolean => storedCheck(client) !== undefined;

/** What is to be stored, under which name, for a database that gets its key now. */
export const newKeyCheck = (key: Buffer): { readonly name: string; readonly value: string } => ({
  name: NAME,
  value: encryptToken('wardround', PLACE, key),
});

/** Why `key` is not the key of this database, in words that show neither; null where it is, or where there is none. */
export function keyProblem(client: Sqlite.Database, key: Buffer): string | null {
  const stored = storedCheck(client);
  if (stored === undefined) return null;
  try {
    decryptToken(stored, PLACE, key);
    return null;
  } catch (error) {
    if (!(error instanceof DecryptionError)) throw error;
    return `(${error.message}); allowed: the key with the id ${stored.split('.')[1]}, given was ${keyId(key)}`;
  }
}

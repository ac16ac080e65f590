import { desc, eq } from 'drizzle-orm';
import type { App } from '../app.ts';
import { adminName, type Actor } from '../auth/actor.ts';
import { decryptToken, encryptToken, sharedKeyPlace } from '../crypto/encryption.ts';
import { write, type Database, type Transaction } from '../db/client.ts';
import { noteAdminAction } from '../db/journal-store.ts';
import { newId, sshKeys } from '../db/schema.ts';
import { makePrivateKey, parsePrivateKey, publicHalf } from '../provisioning/private-key.ts';
import { RefusedError } from './the-vps.ts';

export const NO_SHARED_KEY = 'the fleet has no shared key yet: make one ("wardround ssh-key create")';

export type SharedKey = { readonly id: string; readonly publicKey: string };

/** The login key that VPSs of the fleet share; undefined where none has been made. */
export const sharedKeyOf = (db: Database | Transaction): SharedKey | undefined =>
  db
    .select({ id: sshKeys.id, publicKey: sshKeys.publicKey })
    .from(sshKeys)
    .orderBy(desc(sshKeys.createdAt), desc(sshKeys.id))
    .get();

/** The private half of it. Throws `RefusedError` where there is none. */
export function readSharedKey({ db, encryptionKey }: Pick<App, 'db' | 'encryptionKey'>): string {
  const id = sharedKeyOf(db)?.id ?? '';
  const row = db.select().from(sshKeys).where(eq(sshKeys.id, id)).get();
  if (!row) throw new RefusedError(NO_SHARED_KEY);
  return decryptToken(row.privateKey, sharedKeyPlace(id), encryptionKey);
}

/** Makes the fleet's shared key, afresh or from this private key. Throws `RefusedError` where there is one. */
export const makeSharedKey = (
  { db, encryptionKey }: App,
  actor: Actor,
  privateKey: string = makePrivateKey(),
): Promise<SharedKey> =>
  write(db, (tx) => {
    const by = adminName(actor);
    if (sharedKeyOf(tx)) throw new RefusedError('the fleet has a shared key already');
    const id = newId('key');
    const publicKey = publicHalf(parsePrivateKey(privateKey));
    tx.insert(sshKeys)
      .values({ id, publicKey, privateKey: encryptToken(privateKey, sharedKeyPlace(id), encryptionKey) })
      .run();
    noteAdminAction(tx, by, null, 'shared_key_made');
    return { id, publicKey };
  });

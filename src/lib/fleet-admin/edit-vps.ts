import { and, eq, ne } from 'drizzle-orm';
import type { App } from '../app.ts';
import { journalName, type Actor } from '../auth/actor.ts';
import { encryptToken, privateKeyPlace } from '../crypto/encryption.ts';
import { write, type Transaction } from '../db/client.ts';
import { subscriptions, users, type Subscription } from '../db/schema.ts';
import { noteAdminAction } from '../db/journal-store.ts';
import { setLabels } from '../db/label-store.ts';
import { publish } from '../live/bus.ts';
import { clearLoginBackoffIn, resetCircuitOf } from '../monitoring/health-store.ts';
import { refuseWithoutAuthority } from './authority.ts';
import { refuseForbiddenAddress } from './address-check.ts';
import { NO_SHARED_KEY, sharedKeyOf } from './shared-key.ts';
import { RefusedError, theVps } from './the-vps.ts';
import type { VpsEdit } from './new-vps.ts';

export type EditFields = Readonly<Record<'name' | 'host' | 'port' | 'user' | 'service' | 'labels' | 'note', string>>;

/**
 * What a form asks for: a field that still says what the form was made from (`was`) stays as it is `now`, whatever has
 * happened to it since. An empty `was` is of a form that does not say.
 */
export function mergeEdit<Given extends { readonly [field in keyof EditFields]?: string | undefined }>(
  now: EditFields,
  was: EditFields,
  given: Given,
): Given {
  const merged: Given = { ...given };
  for (const field of Object.keys(now) as (keyof EditFields)[])
    if (was.host !== '' && (given[field] ?? '') === was[field])
      Object.assign(merged, { [field]: now[field] || undefined });
  return merged;
}

/**
 * Changes where and how a VPS is reached, and its labels. Another host or port is another machine: its key is pinned anew, and it has
 * neither circuit nor streak nor restarts of the former one. Returns the names of what has changed. Throws
 * `RefusedError` for customers, and for an address that another VPS has.
 */
export async function editVps(app: App, actor: Actor, id: string, edit: VpsEdit): Promise<string[]> {
  if (actor.role === 'admin') await refuseForbiddenAddress(app, edit.host);
  return write(app.db, (tx) => {
    const changed = editVpsIn(tx, app, actor, { id, edit });
    if (changed.length > 0) publish(tx, { kind: 'vps', vpsIds: [id] });
    return changed;
  });
}

/**
 * The same within a transaction. Pages are told by whoever has begun it, and whether the host may be dialled has been asked
 * before.
 */
export function editVpsIn(
  tx: Transaction,
  app: Pick<App, 'encryptionKey' | 'settings'>,
  actor: Actor,
  { id, edit }: { readonly id: string; readonly edit: VpsEdit },
): string[] {
  const vps = theVps(tx, actor, id);
  const owner = tx.select().from(users).where(eq(users.id, vps.userId)).get();
  if (!owner) throw new RefusedError('there is no such VPS');
  const moved = vps.vpsIpAddress !== edit.host || vps.sshPort !== edit.port;
  const sameAddress = and(eq(subscriptions.vpsIpAddress, edit.host), eq(subscriptions.sshPort, edit.port));
  if (
    moved &&
    tx
      .select()
      .from(subscriptions)
      .where(and(sameAddress, ne(subscriptions.id, id)))
      .get()
  )
    throw new RefusedError(`another VPS of the fleet is ${edit.host} port ${edit.port}`);

  const login = newLogin(app, tx, vps, edit);
  const fields = [
    vps.vpsIpAddress !== edit.host && 'host',
    vps.sshPort !== edit.port && 'port',
    vps.sshUser !== edit.user && 'user',
    vps.serviceName !== edit.service && 'service',
    login !== null && (login.sshLogin === 'certificate' ? 'login by certificate' : 'private key'),
    vps.note !== edit.note && 'note',
    owner.name !== edit.name && 'name',
    setLabels(tx, id, edit.labels) && 'labels',
  ].filter((field) => field !== false);
  if (fields.length === 0) return [];
  tx.update(subscriptions)
    .set({
      vpsIpAddress: edit.host,
      sshPort: edit.port,
      sshUser: edit.user,
      serviceName: edit.service,
      note: edit.note,
      ...login,
      ...(moved && { sshHostKey: null, sshHostKeyAt: null }),
    })
    .where(eq(subscriptions.id, id))
    .run();
  if (owner.name !== edit.name) tx.update(users).set({ name: edit.name }).where(eq(users.id, vps.userId)).run();
  clearLoginBackoffIn(tx, vps.userId);
  const whose = { userId: vps.userId, vpsId: id };
  if (moved) resetCircuitOf(tx, whose, journalName(actor), new Date());
  noteAdminAction(tx, journalName(actor), whose, 'vps_edited', { fields: fields.join(', ') });
  return fields;
}

/** What it is logged in to with from now on; null: as before. Throws `RefusedError` where there is no such key. */
function newLogin(
  app: Pick<App, 'encryptionKey' | 'settings'>,
  tx: Transaction,
  { id, sshKeyId, sshLogin }: Subscription,
  { privateKey, toKey }: VpsEdit,
): Pick<Subscription, 'sshLogin' | 'sshPrivateKey' | 'sshKeyId'> | null {
  const none = { sshPrivateKey: null, sshKeyId: null } as const;
  if (toKey === 'certificate') {
    refuseWithoutAuthority(app, tx);
    return sshLogin === 'certificate' ? null : { ...none, sshLogin: 'certificate' };
  }
  if (toKey === 'shared') {
    const sharedKey = sharedKeyOf(tx);
    if (sharedKey === undefined) throw new RefusedError(NO_SHARED_KEY);
    return sshKeyId === sharedKey.id ? null : { ...none, sshLogin: 'key', sshKeyId: sharedKey.id };
  }
  if (privateKey === null) return null;
  const sshPrivateKey = encryptToken(privateKey, privateKeyPlace(id), app.encryptionKey);
  return { ...none, sshLogin: 'key', sshPrivateKey };
}

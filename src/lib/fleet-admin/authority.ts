import { eq } from 'drizzle-orm';
import type { App } from '../app.ts';
import { adminName, type Actor } from '../auth/actor.ts';
import { authorityPlace, encryptToken } from '../crypto/encryption.ts';
import { write, type Database, type Transaction } from '../db/client.ts';
import { noteAdminAction } from '../db/journal-store.ts';
import { newId, sshAuthorities, subscriptions, type Subscription } from '../db/schema.ts';
import { certificateOrder, NO_AUTHORITY, principalOf } from '../monitoring/certificate-login.ts';
import { authorityLine, certifyOutside, makeAuthorityKey } from '../provisioning/authority.ts';
import { certificateScript } from '../provisioning/rules/certificate-recipe.ts';
import { publicBlob, readCertificate } from '../provisioning/rules/certificate.ts';
import { SSHCommandError } from '../provisioning/ssh-failure.ts';
import { RefusedError } from './the-vps.ts';

export type Authority = {
  readonly id: string;
  readonly role: 'signing' | 'next';
  readonly publicKey: string;
  readonly createdAt: Date;
};

/** The fleet's authorities, the one that signs first; at most two. */
export const authoritiesOf = (db: Database | Transaction): Authority[] =>
  db
    .select({
      id: sshAuthorities.id,
      role: sshAuthorities.role,
      publicKey: sshAuthorities.publicKey,
      createdAt: sshAuthorities.createdAt,
    })
    .from(sshAuthorities)
    .all()
    .sort((one, other) => Number(one.role === 'next') - Number(other.role === 'next'));

/** How many VPSs are logged in to by certificate. */
export const countCertified = (db: Database | Transaction): number =>
  db.select({ id: subscriptions.id }).from(subscriptions).where(eq(subscriptions.sshLogin, 'certificate')).all().length;

const OUTSIDE = 'SSH_CA_SIGNER names an outside signer: its authority is kept there';

/** Makes the fleet's SSH authority. Throws `RefusedError` where there is one, or an outside signer signs. */
export const makeAuthority = (app: App, actor: Actor): Promise<Authority[]> =>
  changed(app, actor, 'authority_made', (tx) => {
    if (authoritiesOf(tx).length > 0)
      throw new RefusedError('the fleet has an SSH authority already; for another one: wardround ca rotate');
    insert(app, tx, 'signing');
  });

/**
 * Begins to replace the authority: makes the next one, which hosts are to trust beside the one that signs. Done again, it
 * changes nothing. Throws `RefusedError` as `makeAuthority` does, and where there is none.
 */
export const beginRotation = (app: App, actor: Actor): Promise<Authority[]> =>
  changed(app, actor, 'authority_rotation_begun', (tx) => {
    const authorities = authoritiesOf(tx);
    if (authorities.length === 0) throw new RefusedError(NO_AUTHORITY);
    if (authorities.length > 1) return false;
    insert(app, tx, 'next');
    return true;
  });

/** Lets the next authority sign from now on, and forgets the former one. Throws `RefusedError` where there is no next one. */
export const finishRotation = (app: App, actor: Actor): Promise<Authority[]> =>
  changed(app, actor, 'authority_rotated', (tx) => {
    if (authoritiesOf(tx).length < 2)
      throw new RefusedError('no rotation of the SSH authority is under way: begin one with "wardround ca rotate"');
    tx.delete(sshAuthorities).where(eq(sshAuthorities.role, 'signing')).run();
    tx.update(sshAuthorities).set({ role: 'signing' }).where(eq(sshAuthorities.role, 'next')).run();
  });

const changed = (
  app: App,
  actor: Actor,
  action: 'authority_made' | 'authority_rotation_begun' | 'authority_rotated',
  change: (tx: Transaction) => boolean | void,
): Promise<Authority[]> =>
  write(app.db, (tx) => {
    const by = adminName(actor);
    if (app.settings.sshCaSigner !== null) throw new RefusedError(OUTSIDE);
    if (change(tx) !== false) noteAdminAction(tx, by, null, action);
    return authoritiesOf(tx);
  });

function insert({ encryptionKey }: App, tx: Transaction, role: Authority['role']): void {
  const id = newId('authority');
  const pem = makeAuthorityKey();
  const privateKey = encryptToken(pem, authorityPlace(id), encryptionKey);
  tx.insert(sshAuthorities)
    .values({ id, role, privateKey, publicKey: authorityLine(pem) })
    .run();
}

/** Whether anybody signs certificates for logins. */
export const maySign = ({ settings, db }: Pick<App, 'settings'> & { readonly db: Database | Transaction }): boolean =>
  settings.sshCaSigner !== null || authoritiesOf(db).length > 0;

/** Throws `RefusedError` where nobody could sign for a login by certificate. */
export function refuseWithoutAuthority({ settings }: Pick<App, 'settings'>, tx: Transaction): void {
  if (!maySign({ settings, db: tx })) throw new RefusedError(NO_AUTHORITY);
}

export type CertificateLines = {
  readonly principal: string;
  /** What the host has to trust: one line each. */
  readonly authorities: readonly string[];
  /** For sh(1), to be run as root on the VPS. */
  readonly script: string;
};

/**
 * What makes a VPS take the certificates of this fleet. Of an outside signer the authority is read from a certificate.
 * Throws `RefusedError` where nobody signs, and for customers.
 */
export async function certificateLines(app: App, actor: Actor, vps: Subscription): Promise<CertificateLines> {
  adminName(actor);
  const principal = principalOf(vps.id);
  const authorities = await trustedKeys(app, vps);
  return { principal, authorities, script: certificateScript({ principal, authorities, login: vps.sshUser }) };
}

async function trustedKeys(app: App, vps: Subscription): Promise<string[]> {
  const { sshCaSigner, connectTimeoutMs, monitoredService } = app.settings;
  if (sshCaSigner === null) {
    const authorities = authoritiesOf(app.db).map(({ publicKey }) => publicKey);
    if (authorities.length === 0) throw new RefusedError(NO_AUTHORITY);
    return authorities;
  }
  const order = certificateOrder(app.settings, { id: vps.id, service: vps.serviceName ?? monitoredService });
  try {
    const { certificate } = await certifyOutside(sshCaSigner, order, { timeoutMs: connectTimeoutMs });
    return [`ssh-ed25519 ${publicBlob(readCertificate(certificate).authority).toString('base64')}`];
  } catch (error) {
    if (error instanceof SSHCommandError) throw new RefusedError(error.message);
    throw error;
  }
}

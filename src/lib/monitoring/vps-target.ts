import { eq } from 'drizzle-orm';
import type { App } from '../app.ts';
import { DecryptionError, decryptToken, privateKeyPlace, sharedKeyPlace } from '../crypto/encryption.ts';
import { sshKeys, type Subscription } from '../db/schema.ts';
import { isOurFault, type OwnFault } from '../facts/cause.ts';
import { parsePrivateKey } from '../provisioning/private-key.ts';
import { SSHCommandError } from '../provisioning/ssh-failure.ts';
import type { VpsTarget } from '../provisioning/vps-connection.ts';
import { UNIT_NAME } from '../variables.ts';
import type { Verdict } from './rules/verdict.ts';

/**
 * Where to log in for this subscription. A secret that does not open or an address that is none is our own fault, not
 * the host's, and comes back as an inconclusive verdict.
 */
export function openTarget(
  app: App,
  subscription: Subscription,
): VpsTarget | Extract<Verdict, { kind: 'inconclusive' }> {
  const inconclusive = (cause: OwnFault, message: string) => ({ kind: 'inconclusive', cause, message }) as const;
  const { vpsIpAddress, serviceName } = subscription;
  if (!vpsIpAddress) return inconclusive('target_invalid', 'no address is stored for this VPS');
  const service = serviceName ?? app.settings.monitoredService;
  if (!UNIT_NAME.test(service)) return inconclusive('target_invalid', 'the stored service is no name of a unit');
  try {
    const privateKey = readLoginKey(app, subscription);
    if (privateKey === null) return inconclusive('key_unreadable', 'no private key is stored for this VPS');
    return {
      host: vpsIpAddress,
      port: subscription.sshPort,
      username: subscription.sshUser,
      privateKey: parsePrivateKey(privateKey),
      hostKey: subscription.sshHostKey,
      service,
      reach: app.settings.allowedAddresses,
    };
  } catch (error) {
    if (error instanceof DecryptionError)
      return inconclusive('key_unreadable', `the private key cannot be read: ${error.message}`);
    if (error instanceof SSHCommandError && isOurFault(error.code)) return inconclusive(error.code, error.message);
    throw error;
  }
}

/** The key that this VPS is logged in to with, its own or a shared one; null where none is stored. Throws `DecryptionError`. */
function readLoginKey(
  { db, encryptionKey }: Pick<App, 'db' | 'encryptionKey'>,
  { id, sshPrivateKey, sshKeyId }: Subscription,
): string | null {
  if (sshPrivateKey) return decryptToken(sshPrivateKey, privateKeyPlace(id), encryptionKey);
  const shared = sshKeyId === null ? undefined : db.select().from(sshKeys).where(eq(sshKeys.id, sshKeyId)).get();
  return shared ? decryptToken(shared.privateKey, sharedKeyPlace(shared.id), encryptionKey) : null;
}

/** Which service of which machine, by which account, stands behind a subscription: an edit may put another one there. */
export const targetOf = ({ vpsIpAddress, sshPort, sshUser, serviceName }: Subscription): string =>
  JSON.stringify([vpsIpAddress, sshPort, sshUser, serviceName]);

/** Whether what was begun with `then` may go on: a key that is pinned since has to be the one that the host has `shown`. */
export const isSameLogin = (now: Subscription, then: Subscription, shown: string | null): boolean =>
  targetOf(now) === targetOf(then) &&
  now.sshPrivateKey === then.sshPrivateKey &&
  now.sshKeyId === then.sshKeyId &&
  (now.sshHostKey === then.sshHostKey || (then.sshHostKey === null && now.sshHostKey === shown));

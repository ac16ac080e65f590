import { eq } from 'drizzle-orm';
import type { App } from '../app.ts';
import { authorityPlace, DecryptionError, decryptToken } from '../crypto/encryption.ts';
import { sshAuthorities } from '../db/schema.ts';
import {
  authorityFailed,
  certify,
  certifyOutside,
  type CertificateLogin,
  type CertificateOrder,
} from '../provisioning/authority.ts';
import { BRIDGE, confinedTo, contractCommands } from '../provisioning/rules/contract-commands.ts';

export const NO_AUTHORITY = 'the fleet has no SSH authority yet: make one ("wardround ca create")';

/** What a VPS has to allow for the login: a certificate for one VPS is of no use at another. */
export const principalOf = (vpsId: string): string => `wardround-${vpsId}`;

/** What stands in each certificate for this VPS. The bus is among it where the settings let it be used. */
export function certificateOrder(
  { sshLink, sshCaSourceAddress }: App['settings'],
  vps: { readonly id: string; readonly service: string },
): CertificateOrder {
  const commands = Object.values(contractCommands(vps.service));
  const usesBus = sshLink === 'auto' || sshLink === 'bus';
  return {
    principal: principalOf(vps.id),
    forceCommand: confinedTo(usesBus ? [BRIDGE, ...commands] : commands),
    sourceAddress: sshCaSourceAddress,
  };
}

/**
 * The login to a VPS for which no key is stored: another key and certificate for each connection, by whoever signs at that
 * moment. Null where nobody does.
 */
export function certificateLogin(
  app: App,
  vps: { readonly id: string; readonly service: string },
): CertificateLogin | null {
  const { sshCaSigner } = app.settings;
  const order = certificateOrder(app.settings, vps);
  const { principal } = order;
  if (sshCaSigner !== null) return { principal, issue: (patience) => certifyOutside(sshCaSigner, order, patience) };
  if (signingRow(app) === undefined) return null;
  return { principal, issue: () => certify(readSigningKey(app), order, Date.now()) };
}

const signingRow = ({ db }: Pick<App, 'db'>) =>
  db.select().from(sshAuthorities).where(eq(sshAuthorities.role, 'signing')).get();

function readSigningKey(app: App): string {
  const row = signingRow(app);
  if (row === undefined) throw authorityFailed(NO_AUTHORITY);
  try {
    return decryptToken(row.privateKey, authorityPlace(row.id), app.encryptionKey);
  } catch (error) {
    if (!(error instanceof DecryptionError)) throw error;
    throw authorityFailed(`the key of the fleet's SSH authority cannot be read: ${error.message}`);
  }
}

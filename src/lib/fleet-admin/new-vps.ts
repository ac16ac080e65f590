import { isIP } from 'node:net';
import { UNIT_NAME } from '../config.ts';
import { parseHostKey } from '../provisioning/host-key.ts';
import { parsePrivateKey } from '../provisioning/private-key.ts';
import { SSHCommandError } from '../provisioning/ssh-failure.ts';

/** A VPS as a person describes it: everything as typed. */
export type VpsDescription = {
  readonly customer: string;
  readonly name?: string | undefined;
  readonly host: string;
  readonly port?: string | undefined;
  readonly user?: string | undefined;
  readonly privateKey: string;
  readonly service?: string | undefined;
  readonly hostKey?: string | undefined;
};

export type NewVps = {
  readonly email: string;
  readonly name: string | null;
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly privateKey: string;
  readonly service: string | null;
  readonly hostKey: string | null;
};

const HOST_NAME = /^(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*\.?$/i;
const EMAIL = /^[^\s@<>,;:"\p{Cc}]{1,64}@[^\s@<>,;:"\p{Cc}]{1,190}$/u;
const LOGIN = /^[a-z_][a-z0-9_.-]{0,31}\$?$/i;

/** Reads a description; gives the VPS, or every problem in it: what was given, what is allowed. Never the key itself. */
export function parseVps(given: VpsDescription): { readonly vps: NewVps } | { readonly problems: readonly string[] } {
  const problems: string[] = [];
  const check = (valid: boolean, what: string, value: string, allowed: string): void => {
    if (!valid) problems.push(`${what} is ${JSON.stringify(value)}; allowed: ${allowed}`);
  };
  const host = given.host.trim().replace(/^\[(.*)\]$/, '$1');
  const port = given.port?.trim() ?? '22';
  const user = given.user?.trim() ?? 'root';
  const service = given.service?.trim() ?? null;
  const hostKey = given.hostKey === undefined ? null : parseHostKey(given.hostKey);
  const name = given.name?.trim() || null;

  check(EMAIL.test(given.customer.trim()), 'customer', given.customer, 'an e-mail address');
  check(
    name === null || (name.length <= 100 && !/\p{Cc}/u.test(name)),
    'name',
    given.name ?? '',
    'up to 100 printable characters',
  );
  // All digits and dots, yet no IP address: a typing error, and no host has such a name.
  check(
    isIP(host) !== 0 || (HOST_NAME.test(host) && !/^[\d.]+$/.test(host)),
    'host',
    given.host,
    'an IP address or a host name, without user or port',
  );
  check(
    /^\d{1,5}$/.test(port) && Number(port) >= 1 && Number(port) <= 65_535,
    'port',
    port,
    'a whole number from 1 to 65535',
  );
  check(LOGIN.test(user), 'user', user, 'a login name such as root or deploy');
  check(
    service === null || UNIT_NAME.test(service),
    'service',
    service ?? '',
    'a systemd unit name such as rachel8 or app@1.service',
  );
  check(
    given.hostKey === undefined || hostKey !== null,
    'host key',
    given.hostKey ?? '',
    'a line such as "ssh-ed25519 AAAA…", as ssh-keyscan prints it',
  );
  try {
    parsePrivateKey(given.privateKey);
  } catch (error) {
    if (!(error instanceof SSHCommandError)) throw error;
    problems.push(
      `${error.message}; allowed: an unencrypted private key in OpenSSH or PEM format (ssh-keygen -p removes a passphrase)`,
    );
  }
  if (problems.length > 0) return { problems };
  const email = given.customer.trim().toLowerCase();
  return { vps: { email, name, host, port: Number(port), user, privateKey: given.privateKey, service, hostKey } };
}

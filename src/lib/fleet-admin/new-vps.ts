import { isIP } from 'node:net';
import { emailProblem, nameProblem, normalizeEmail } from '../auth/account-form.ts';
import { UNIT_NAME } from '../variables.ts';
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

/** Without a key the one that is stored stays; the customer stays in any case. */
export type VpsEdit = Omit<NewVps, 'privateKey'> & { readonly privateKey: string | null };

const HOST_NAME = /^(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*\.?$/i;
const LOGIN = /^[a-z_][a-z0-9_.-]{0,31}\$?$/i;

/** What is wrong with a field, in words for whoever fills in a form. */
export type FieldProblems = Readonly<Partial<Record<keyof VpsDescription, string>>>;
/** For people at a terminal each names what was given and what is allowed; the key itself is in neither. */
export type VpsProblems = { readonly problems: readonly string[]; readonly fields: FieldProblems };

/** Reads a description; gives the VPS, or every problem in it. */
export function parseVps(given: VpsDescription): { readonly vps: NewVps } | VpsProblems {
  const { vps, found } = read(given);
  readKey(given.privateKey, found);
  return found.problems.length > 0 ? found : { vps: { ...vps, privateKey: given.privateKey } };
}

/** The same for a VPS that is there already: no key means that it keeps the one it has. */
export function parseVpsEdit(given: VpsDescription): { readonly edit: VpsEdit } | VpsProblems {
  const { vps, found } = read(given);
  const privateKey = given.privateKey.trim() === '' ? null : given.privateKey;
  if (privateKey !== null) readKey(privateKey, found);
  return found.problems.length > 0 ? found : { edit: { ...vps, privateKey } };
}

type Found = { readonly problems: string[]; readonly fields: Partial<Record<keyof VpsDescription, string>> };

function read(given: VpsDescription): { readonly vps: Omit<NewVps, 'privateKey'>; readonly found: Found } {
  const found: Found = { problems: [], fields: {} };
  const check = (valid: boolean, [field, what]: [keyof VpsDescription, string], value: string, allowed: string) => {
    if (valid) return;
    found.problems.push(`${what} is ${JSON.stringify(value)}; allowed: ${allowed}`);
    found.fields[field] = `Enter ${allowed}.`;
  };
  const host = given.host.trim().replace(/^\[(.*)\]$/, '$1');
  const port = given.port?.trim() ?? '22';
  const user = given.user?.trim() ?? 'root';
  const service = given.service?.trim() ?? null;
  const hostKey = given.hostKey === undefined ? null : parseHostKey(given.hostKey);
  const name = given.name?.trim() || null;

  check(
    emailProblem(normalizeEmail(given.customer)) === undefined,
    ['customer', 'customer'],
    given.customer,
    'an e-mail address such as name@example.com',
  );
  check(
    name === null || nameProblem(name) === undefined,
    ['name', 'name'],
    given.name ?? '',
    'up to 100 printable characters',
  );
  // All digits and dots, yet no IP address: a typing error, and no host has such a name.
  check(
    isIP(host) !== 0 || (HOST_NAME.test(host) && !/^[\d.]+$/.test(host)),
    ['host', 'host'],
    given.host,
    'an IP address or a host name, without user or port',
  );
  check(
    /^\d{1,5}$/.test(port) && Number(port) >= 1 && Number(port) <= 65_535,
    ['port', 'port'],
    port,
    'a whole number from 1 to 65535',
  );
  check(LOGIN.test(user), ['user', 'user'], user, 'a login name such as root or deploy');
  check(
    service === null || UNIT_NAME.test(service),
    ['service', 'service'],
    service ?? '',
    'a systemd unit name such as rachel8 or app@1.service',
  );
  check(
    given.hostKey === undefined || hostKey !== null,
    ['hostKey', 'host key'],
    given.hostKey ?? '',
    'a line such as "ssh-ed25519 AAAA…", as ssh-keyscan prints it',
  );
  const email = given.customer.trim().toLowerCase();
  return { vps: { email, name, host, port: Number(port), user, service, hostKey }, found };
}

function readKey(privateKey: string, { problems, fields }: Found): void {
  try {
    parsePrivateKey(privateKey);
  } catch (error) {
    if (!(error instanceof SSHCommandError)) throw error;
    const allowed = 'an unencrypted private key in OpenSSH or PEM format (ssh-keygen -p removes a passphrase)';
    problems.push(`${error.message}; allowed: ${allowed}`);
    fields.privateKey = `Paste ${allowed}.`;
  }
}

import * as z from 'zod/mini';
import { emailAddress, personName } from '../auth/account-form.ts';
import { orNull, plainText, readWhole, Refusal, usually, wholeNumber } from '../parsing/fields.ts';
import { loginName } from '../parsing/login-name.ts';
import { labelList } from '../parsing/label-fields.ts';
import { host } from '../parsing/network-fields.ts';
import { parse } from '../parsing/parse.ts';
import type { Problem } from '../parsing/problems.ts';
import { hostKeyLine } from '../provisioning/host-key.ts';
import { parsePrivateKey, tidyPrivateKey } from '../provisioning/private-key.ts';
import { SSHCommandError } from '../provisioning/ssh-failure.ts';
import { unitName } from '../variables.ts';

const privateKey = readWhole(
  (text) => {
    try {
      parsePrivateKey(text);
      // As it is to be stored, so that no check has to tidy it again.
      return tidyPrivateKey(text);
    } catch (error) {
      if (error instanceof SSHCommandError) return new Refusal({ reason: error.message });
      throw error;
    }
  },
  {
    title: 'private key',
    description: 'an unencrypted private key in OpenSSH, PEM or PKCS #8 format (ssh-keygen -p removes a passphrase)',
    writeOnly: true,
    ask: 'Paste',
  },
);

/** A VPS as a person describes it. What may be left out has its usual value; null where it has none. */
const NewVps = z.object({
  customer: emailAddress,
  name: orNull(personName),
  host,
  port: usually('22', wholeNumber(1, 65_535)),
  user: usually('root', loginName),
  service: orNull(unitName),
  hostKey: orNull(hostKeyLine),
  labels: usually('', labelList),
  note: orNull(plainText(500)),
  privateKey,
});
const WithoutKey = z.extend(NewVps, { privateKey: orNull(privateKey) });

/** What it is logged in to with: a key of its own, the fleet's shared one, or certificates, for which none is stored. */
export const LOGIN_KEYS = ['own', 'shared', 'certificate'] as const;
export type LoginKey = (typeof LOGIN_KEYS)[number];

/** `key`: with anything but `own`, there is no private key. */
export type VpsDescription = z.input<typeof WithoutKey> & { readonly key?: LoginKey };
/** No private key of its own: it has the fleet's shared one, or is logged in to `byCertificate`. */
export type NewVps = Omit<z.output<typeof WithoutKey>, 'customer'> & {
  readonly email: string;
  readonly byCertificate: boolean;
};
/** Without a key the one that is stored stays, unless `toKey` is another; the customer stays in any case. */
export type VpsEdit = Omit<NewVps, 'byCertificate'> & { readonly toKey: LoginKey };

export type VpsField = Exclude<keyof VpsDescription, 'key'>;
export type VpsProblems = { readonly problems: readonly Problem<VpsField>[] };

/** Reads a description; gives the VPS, or every problem in it. */
export function parseVps({ key, ...given }: VpsDescription): { readonly vps: NewVps } | VpsProblems {
  const hasNone = key === 'shared' || key === 'certificate';
  const parsed = parse(hasNone ? WithoutKey : NewVps, hasNone ? { ...given, privateKey: undefined } : given);
  if ('problems' in parsed) return parsed;
  const { customer: email, ...vps } = parsed.value;
  return { vps: { email, ...vps, byCertificate: key === 'certificate' } };
}

/** The same for a VPS that is there already: no key means that it keeps the one it has. */
export function parseVpsEdit({ key = 'own', ...given }: VpsDescription): { readonly edit: VpsEdit } | VpsProblems {
  const isKept = key !== 'own' || (given.privateKey ?? '').trim() === '';
  const parsed = parse(WithoutKey, { ...given, privateKey: isKept ? undefined : given.privateKey });
  if ('problems' in parsed) return parsed;
  const { customer: email, ...edit } = parsed.value;
  return { edit: { email, ...edit, toKey: key } };
}

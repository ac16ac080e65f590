import { eq, inArray } from 'drizzle-orm';
import type { App } from '../app.ts';
import { subscriptions, users } from '../db/schema.ts';
import { hostAndPort } from '../facts/host-words.ts';
import { MOST_PROBLEMS, type FileProblem, type FleetEntry } from '../fleet-files/fleet-entry.ts';
import { inTerminal } from '../parsing/problems.ts';
import { parseVps, type NewVps } from './new-vps.ts';
import { NO_SHARED_KEY, sharedKeyOf } from './shared-key.ts';

/** What holds for entries that do not say it themselves. */
export type ImportDefaults = {
  /** A mail address in which `{name}` stands for what the file calls the VPS, and `{host}` for its host. */
  readonly customer: string;
  readonly user: string;
  readonly port: string;
  readonly service: string;
  /** Every VPS gets these besides its own. */
  readonly labels: string;
};

/** The private key for an entry: the text of the file that it names, or of one for all; or why there is none. */
export type KeyFor = (keyFile: string | undefined) => FoundKey;
/** No text: the fleet's shared key. */
export type FoundKey = { readonly text: string | null } | { readonly problem: string };

/** How a file names the fleet's shared key, and one that is to be made. */
export const SHARED_KEY = 'shared';
/** And where it is none, as it is logged in to by certificate. */
export const NO_KEY = 'certificate';
export const GENERATED_KEY = 'generated';

/** An entry that can be tried. */
export type Candidate = { readonly line: number; readonly vps: NewVps };
/** An entry whose VPS is in the fleet already, of the same customer. */
export type Known = {
  readonly line: number;
  readonly id: string;
  readonly email: string;
  readonly host: string;
  readonly port: number;
};

export type Prepared =
  | { readonly candidates: readonly Candidate[]; readonly known: readonly Known[] }
  | { readonly problems: readonly FileProblem[] };

/** Reads all entries as VPSs, against one another and against the fleet; or says of each line what is wrong with it. */
export function prepareImport(
  app: App,
  entries: readonly FleetEntry[],
  defaults: ImportDefaults,
  keyFor: KeyFor,
): Prepared {
  const problems: FileProblem[] = [];
  const candidates: Candidate[] = [];
  for (const entry of entries) {
    const read = readEntry(entry, defaults, keyFor);
    if ('vps' in read) candidates.push({ line: entry.line, vps: read.vps });
    else problems.push(...read.reasons.map((reason) => ({ line: entry.line, reason: nameOf(entry) + reason })));
    if (problems.length >= MOST_PROBLEMS) return { problems };
  }
  const shared = candidates.find(({ vps }) => vps.privateKey === null);
  if (shared && !sharedKeyOf(app.db)) problems.push({ line: shared.line, reason: NO_SHARED_KEY });
  problems.push(...twice(candidates));
  const { known, fresh, taken } = compare(app, candidates);
  problems.push(...taken);
  if (problems.length === 0) return { candidates: fresh, known };
  return { problems: problems.toSorted((a, b) => (a.line ?? 0) - (b.line ?? 0)).slice(0, MOST_PROBLEMS) };
}

const nameOf = ({ alias }: FleetEntry): string => (alias === '' ? '' : `${alias.slice(0, 60)}: `);

function readEntry(
  { alias, given }: FleetEntry,
  defaults: ImportDefaults,
  keyFor: KeyFor,
): { readonly vps: NewVps } | { readonly reasons: readonly string[] } {
  const customer = given.customer ?? fillIn(defaults.customer, alias, given.host ?? '');
  if (customer === '')
    return {
      reasons: ['customer is missing; name it in the file, or give an address for all, such as {name}@example.com'],
    };
  const key = given.keyFile === SHARED_KEY ? { text: null } : keyFor(given.keyFile);
  if ('problem' in key) return { reasons: [key.problem] };
  const { keyFile, ...rest } = given;
  const parsed = parseVps({
    ...withDefaults(rest, defaults),
    customer,
    host: given.host ?? '',
    labels: [given.labels, defaults.labels].filter(Boolean).join(', '),
    ...(key.text === null ? { key: 'shared' as const } : { privateKey: key.text }),
  });
  if ('vps' in parsed) return parsed;
  const reasons = inTerminal(parsed.problems);
  return {
    reasons: keyFile === undefined ? reasons : reasons.map((one) => one.replace(/^private key /, `key ${keyFile} `)),
  };
}

const withDefaults = (given: FleetEntry['given'], { user, port, service }: ImportDefaults): FleetEntry['given'] => ({
  ...(user !== '' && { user }),
  ...(port !== '' && { port }),
  ...(service !== '' && { service }),
  ...given,
});

/** An address made of a pattern; what cannot stand in one becomes a hyphen. */
const fillIn = (pattern: string, alias: string, host: string): string =>
  pattern.replaceAll('{name}', addressable(alias || host)).replaceAll('{host}', addressable(host));
const addressable = (text: string): string =>
  text
    .toLowerCase()
    .replaceAll(/[^a-z0-9._-]+/g, '-')
    .replaceAll(/\.{2,}/g, '.')
    .replace(/^[.-]/, '')
    .replace(/[.-]$/, '');

/** Lines that stand in each other's way. */
function twice(candidates: readonly Candidate[]): FileProblem[] {
  const problems: FileProblem[] = [];
  const seen = new Map<string, number>();
  for (const { line, vps } of candidates)
    for (const what of [`the address ${hostAndPort(vps.host, vps.port)}`, `the customer ${vps.email}`]) {
      const before = seen.get(what);
      if (before === undefined) seen.set(what, line);
      else problems.push({ line, reason: `${what} has a VPS in line ${before} already; each has one` });
    }
  return problems;
}

function compare({ db }: App, candidates: readonly Candidate[]) {
  const select = () =>
    db
      .select({
        id: subscriptions.id,
        email: users.email,
        host: subscriptions.vpsIpAddress,
        port: subscriptions.sshPort,
        status: subscriptions.status,
      })
      .from(subscriptions)
      .innerJoin(users, eq(users.id, subscriptions.userId));
  const byHost = Map.groupBy(
    select()
      .where(
        inArray(
          subscriptions.vpsIpAddress,
          candidates.map(({ vps }) => vps.host),
        ),
      )
      .all(),
    ({ host, port }) => `${host} ${port}`,
  );
  const byEmail = new Map(
    select()
      .where(
        inArray(
          users.email,
          candidates.map(({ vps }) => vps.email),
        ),
      )
      .all()
      .map((row) => [row.email, row]),
  );
  const known: Known[] = [];
  const fresh: Candidate[] = [];
  const taken: FileProblem[] = [];
  for (const candidate of candidates) {
    const { line, vps } = candidate;
    const there = byHost.get(`${vps.host} ${vps.port}`) ?? [];
    const own = byEmail.get(vps.email);
    const where = { host: vps.host, port: vps.port };
    const other = there.find(({ email }) => email !== vps.email);
    if (there.some(({ email }) => email === vps.email))
      known.push({ line, id: own?.id ?? '', email: vps.email, ...where });
    else if (other)
      taken.push({
        line,
        reason: `${hostAndPort(vps.host, vps.port)} is in the fleet already, as that of ${other.email} (${other.id})`,
      });
    else if (own && own.status !== 'canceled')
      taken.push({
        line,
        reason: `${vps.email} has a VPS already (${own.host}, ${own.id}), and each customer has one`,
      });
    else fresh.push(candidate);
  }
  return { known, fresh, taken };
}

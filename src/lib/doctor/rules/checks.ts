import { linksWithin } from '../../facts/link.ts';
import { count, withCommas } from '../../facts/time-words.ts';
import type { Verdict } from '../verdict-words.ts';

/** What a check came to: what is so, and what to do where that is not well. */
export type Finding = { readonly verdict: Verdict; readonly seen: string; readonly remedy: string | null };

/** What the probes bring home, by check. */
export type Facts = {
  readonly configuration: { readonly problems: readonly string[] };
  readonly database: { readonly path: string; readonly problem: string | null };
  readonly integrity: { readonly report: string; readonly tables: number; readonly of: number };
  readonly space: { readonly databaseBytes: number; readonly freeBytes: number };
  readonly migrations: { readonly pending: number; readonly unknown: number };
  readonly key: { readonly source: string; readonly problem: string | null };
  /** `synchronized` null: the system does not say. `aheadMs`: how far the newest time in the database is in the future. */
  readonly clock: { readonly synchronized: boolean | null; readonly aheadMs: number };
  readonly zone: { readonly zone: string; readonly wanted: string | null; readonly isKnown: boolean };
  readonly names: { readonly found: readonly string[]; readonly failed: readonly Failed[] };
  readonly ssh: { readonly reached: readonly string[]; readonly failed: readonly Failed[] };
  readonly mail: { readonly server: string | null; readonly failure: string | null };
  readonly channels: { readonly waiting: number; readonly troubles: readonly Failed[] };
  readonly leases: { readonly monitorEnabled: boolean; readonly leader: number | null; readonly sender: number | null };
  /** `maxLinks`: connections that may be kept, whatever the limit. */
  readonly descriptors: {
    readonly limit: number;
    readonly whose: string;
    readonly vpss: number;
    readonly maxLinks: number;
  };
  readonly proxy: {
    readonly addressHeader: string | null;
    readonly published: boolean;
    readonly listensInside: boolean;
  };
};

/** What did not work, and why. */
export type Failed = { readonly what: string; readonly why: string };

type Check<Name extends keyof Facts> = {
  /** What it is about, for people. */
  readonly title: string;
  readonly judge: (facts: Facts[Name]) => Finding;
};

const ok = (seen: string): Finding => ({ verdict: 'ok', seen, remedy: null });
const warning = (seen: string, remedy: string): Finding => ({ verdict: 'warning', seen, remedy });
const failure = (seen: string, remedy: string): Finding => ({ verdict: 'failure', seen, remedy });
const notKnown = (seen: string, remedy: string | null = null): Finding => ({ verdict: 'not known', seen, remedy });

const MEGABYTE = 1_000_000;
const inMegabytes = (bytes: number): string => `${withCommas(Math.round(bytes / MEGABYTE))} MB`;
const listed = (failed: readonly Failed[]): string => failed.map(({ what, why }) => `${what} (${why})`).join(', ');

/** Below that, a day of checks of a large fleet may not fit any more. */
const LITTLE_SPACE = 500 * MEGABYTE;
const NO_SPACE = 50 * MEGABYTE;
const CLOCK_AHEAD_MS = 60_000;
const FEW_DESCRIPTORS = 1_024;
const TOO_FEW_DESCRIPTORS = 256;

/** Every check, in the order of what depends on what. */
export const CHECKS: { readonly [Name in keyof Facts]: Check<Name> } = {
  configuration: {
    title: 'configuration',
    judge: ({ problems }) =>
      problems.length === 0
        ? ok('every setting can be read')
        : failure(
            problems.join('; '),
            'Mend these settings in .env or in the environment; .env.example explains each.',
          ),
  },
  database: {
    title: 'database',
    judge: ({ path, problem }) =>
      problem === null
        ? ok(`${path} can be read and written`)
        : failure(problem, 'Look at DATABASE_URL, at its disk and at the rights on it; "npm start" makes a first one.'),
  },
  integrity: {
    title: 'integrity',
    judge: ({ report, tables, of }) => {
      if (report !== 'ok') return failure(`damaged: ${report}`, 'Put a backup in its place: wardround restore FILE');
      if (tables < of)
        return notKnown(
          `${tables} of ${of} tables are whole; for the rest, which are the largest, there was no time`,
          'Copy it, which reads all of it: wardround backup FILE',
        );
      return ok(`all ${of} tables are whole`);
    },
  },
  space: {
    title: 'disk space',
    judge: ({ databaseBytes, freeBytes }) => {
      const seen = `the database has ${inMegabytes(databaseBytes)}, its disk ${inMegabytes(freeBytes)} free`;
      const remedy = 'Make room on the disk of the database, or keep less history (HISTORY_… in .env).';
      if (freeBytes < NO_SPACE) return failure(seen, remedy);
      return freeBytes < Math.max(LITTLE_SPACE, databaseBytes) ? warning(seen, remedy) : ok(seen);
    },
  },
  migrations: {
    title: 'migrations',
    judge: ({ pending, unknown }) => {
      if (unknown > 0)
        return failure('the database is of a newer version', 'Run that version again, or restore an older backup.');
      return pending > 0
        ? warning(`${count(pending, 'migration')} to come`, 'Restart the server, which brings the database up to date.')
        : ok('the database has the newest schema');
    },
  },
  key: {
    title: 'encryption key',
    judge: ({ source, problem }) =>
      problem === null
        ? ok(`${source} opens what is stored`)
        : failure(problem, 'Bring back the key that the database was made with; without it no SSH key can be read.'),
  },
  clock: {
    title: 'clock',
    judge: ({ synchronized, aheadMs }) => {
      const remedy = 'Let the system keep its clock: timedatectl set-ntp true';
      if (aheadMs > CLOCK_AHEAD_MS)
        return failure(`the newest time in the database is ${Math.round(aheadMs / 1_000)} s in the future`, remedy);
      if (synchronized === false) return warning('the system does not synchronize its clock', remedy);
      return synchronized === null
        ? notKnown('the system does not say whether its clock is right')
        : ok('synchronized');
    },
  },
  zone: {
    title: 'time zone',
    judge: ({ zone, wanted, isKnown }) =>
      isKnown
        ? ok(zone)
        : warning(`TZ=${wanted} is no time zone, so ${zone} is in force`, 'Set TZ to a name such as Europe/Oslo.'),
  },
  names: {
    title: 'name resolution',
    judge: ({ found, failed }) => {
      if (found.length + failed.length === 0) return notKnown('nothing here is called by a name');
      const remedy = 'Look at /etc/resolv.conf, and whether these names are right.';
      if (failed.length === 0) return ok(`found ${found.join(', ')}`);
      return found.length === 0 ? failure(`found none: ${listed(failed)}`, remedy) : warning(listed(failed), remedy);
    },
  },
  ssh: {
    title: 'outbound SSH',
    judge: ({ reached, failed }) => {
      if (reached.length + failed.length === 0) return notKnown('there is no VPS to connect to');
      if (reached.length > 0) return ok(`${reached[0]} answers`);
      return failure(
        `no connection to ${listed(failed)}`,
        'Let this machine connect out: look at its routes and at the firewalls in between.',
      );
    },
  },
  mail: {
    title: 'mail',
    judge: ({ server, failure: why }) => {
      if (server === null) return warning('no SMTP_URL is set: nothing is mailed', 'Set SMTP_URL in .env.');
      return why === null
        ? ok(`${server} answers`)
        : failure(`no connection to ${server} (${why})`, 'Look at SMTP_URL; then: wardround notify test');
    },
  },
  channels: {
    title: 'notifications',
    judge: ({ waiting, troubles }) =>
      troubles.length === 0
        ? ok(waiting === 0 ? 'nothing waits to be sent' : `${count(waiting, 'message')} to be sent, none in trouble`)
        : warning(
            `does not get through: ${listed(troubles)}`,
            'Mend that, then: wardround notify retry. The settings page shows each target.',
          ),
  },
  leases: {
    title: 'who leads',
    judge: ({ monitorEnabled, leader, sender }) => {
      if (leader !== null)
        return ok(
          `the process ${leader} sweeps, ${sender === null ? 'nobody' : `the process ${sender}`} sends messages`,
        );
      return monitorEnabled
        ? warning(
            'no server sweeps',
            'Start the server (npm start), if it is not meant to be stopped; one that has just begun takes some seconds to lead.',
          )
        : ok('no server sweeps, as ENABLE_HEALTH_MONITOR says');
    },
  },
  descriptors: {
    title: 'open files',
    judge: ({ limit, whose, vpss, maxLinks }) => {
      const seen = `${whose} may have ${limit === Infinity ? 'any number of' : withCommas(limit)} files open`;
      const remedy = 'Raise the limit where the server is started: LimitNOFILE=65536 in its unit, or ulimit -n.';
      if (limit < TOO_FEW_DESCRIPTORS) return failure(seen, remedy);
      if (limit < FEW_DESCRIPTORS) return warning(seen, remedy);
      const room = linksWithin(limit);
      if (room >= Math.min(vpss, maxLinks)) return ok(seen);
      return warning(
        `${seen}, which is room for ${withCommas(room)} links that are kept; there are ${withCommas(vpss)} VPSs, and SSH_MAX_LINKS allows ${withCommas(maxLinks)}`,
        remedy,
      );
    },
  },
  proxy: {
    title: 'proxy',
    judge: ({ addressHeader, published, listensInside }) => {
      if (addressHeader === null)
        return published && listensInside
          ? warning(
              'ORIGIN is not this machine, so there is a proxy, but ADDRESS_HEADER is not set: all its users share one limit',
              'Set ADDRESS_HEADER to the header in which the proxy says who asks, such as X-Forwarded-For.',
            )
          : ok('whoever connects is who asks');
      return listensInside
        ? ok(`the proxy says in ${addressHeader} who asks`)
        : warning(
            `${addressHeader} is believed, but the server can be reached around the proxy, by whoever writes that header`,
            'Let the server listen to the proxy alone: HOST=127.0.0.1, or close the port to others.',
          );
    },
  },
};

export const CHECK_NAMES = Object.keys(CHECKS) as (keyof Facts)[];

/** The finding of one check; `facts` null: nothing could be found out, for this reason. */
export function judgeCheck<Name extends keyof Facts>(
  name: Name,
  facts: { readonly known: Facts[Name] } | { readonly unknown: string },
): Finding {
  return 'known' in facts ? CHECKS[name].judge(facts.known) : notKnown(facts.unknown);
}

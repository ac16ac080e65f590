import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { isIP } from 'node:net';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import type { Settings } from '../config.ts';
import { keySource, readKey } from '../crypto/encryption-key.ts';
import type { Inspection } from '../db/inspect.ts';
import { filesOf, realPath, sizeOf } from '../db/files.ts';
import { keyProblem } from '../db/key-check.ts';
import { isAlive, MACHINE } from '../db/process.ts';
import { cleanRemoteText } from '../facts/remote-text.ts';
import { hostAndPort } from '../facts/host-words.ts';
import { isLoopbackAddress, refusalOfAll, type Reach } from '../facts/address-reach.ts';
import { openFilesLimit } from '../provisioning/open-files.ts';
import { checkTables, tryNetwork, type Target, type Tried } from './programs.ts';
import type { Facts } from './rules/checks.ts';

export type Patient = {
  readonly settings: Settings;
  /** Throws where it cannot be opened: a probe that does not ask for it goes on. */
  readonly database: Inspection;
  /** After that, whatever did not answer has failed. */
  readonly deadline: AbortSignal;
};

export type Probes = {
  readonly [Name in Exclude<keyof Facts, 'configuration' | 'database'>]: (
    patient: Patient,
  ) => Facts[Name] | Promise<Facts[Name]>;
};

/** So many names and VPSs are tried: whether any works is what is asked. */
const MOST_TRIED = 5;

/** Each finds out what one check is about, and may throw: then it is not known. */
export const PROBES: Probes = {
  integrity: ({ database, deadline }) => checkTables(database.client.name, deadline),

  space: async ({ settings }) => {
    const path = realPath(settings.databasePath);
    const { bavail, bsize } = await statfs(dirname(path));
    return { databaseBytes: filesOf(path).reduce((sum, file) => sum + sizeOf(file), 0), freeBytes: bavail * bsize };
  },

  migrations: ({ settings, database }) => database.migrations(settings.migrationsDir),

  key: ({ settings, database }) => {
    const source = keySource(settings);
    try {
      const problem = keyProblem(database.client, readKey(settings));
      return { source, problem: problem === null ? null : `${source} is not the key of this database ${problem}` };
    } catch (error) {
      return { source, problem: (error as Error).message };
    }
  },

  clock: async ({ database, deadline }) => {
    const [newest] = database.rows<{ at: number | null }>('SELECT max(last_check_at) AS at FROM health_checks');
    const aheadMs = Math.max(0, (newest?.at ?? 0) - Date.now());
    return { synchronized: await isClockSynchronized(deadline), aheadMs };
  },

  zone: () => {
    const { timeZone: zone } = new Intl.DateTimeFormat().resolvedOptions();
    const wanted = process.env.TZ || null;
    return { zone, wanted, isKnown: wanted === null || isTimeZone(wanted) };
  },

  names: async ({ settings, database, deadline }) => {
    const hosts = database.rows<{ host: string }>(
      'SELECT DISTINCT vps_ip_address AS host FROM subscriptions WHERE vps_ip_address IS NOT NULL',
    );
    const mail = mailServer(settings);
    const names = [...(mail === null ? [] : [mail.host]), ...hosts.map(({ host }) => host)].filter(
      (name) => isIP(name) === 0,
    );
    const targets = names.slice(0, MOST_TRIED).map((name) => ({ what: name, host: name, port: null }));
    const { worked, failed } = await tryNetwork(targets, deadline);
    return { found: worked.map(({ what }) => what), failed };
  },

  ssh: async ({ settings, database, deadline }) => {
    // Those first that have answered before: they show whether we get out.
    const vpss = database.rows<{ host: string; port: number }>(
      `SELECT vps_ip_address AS host, ssh_port AS port FROM subscriptions
       LEFT JOIN health_checks ON health_checks.user_id = subscriptions.user_id
       WHERE vps_ip_address IS NOT NULL AND subscriptions.status = 'active'
       ORDER BY reachable DESC, last_healthy_at DESC LIMIT ?`,
      MOST_TRIED,
    );
    const { worked, failed } = await connectWithin(settings.allowedAddresses, vpss.map(asTarget), deadline);
    return { reached: worked.map(({ what }) => what), failed };
  },

  mail: async ({ settings, deadline }) => {
    const server = mailServer(settings);
    if (server === null) return { server: null, failure: null };
    const target = asTarget(server);
    const { failed } = await tryNetwork([target], deadline);
    return { server: target.what, failure: failed[0]?.why ?? null };
  },

  channels: ({ database }) => {
    const [outbox] = database.rows<{ waiting: number }>(
      "SELECT count(*) AS waiting FROM notifications WHERE status IN ('pending', 'sending')",
    );
    const troubles = database.rows<{ channel: string; reason: string; targets: number }>(
      'SELECT channel, max(reason) AS reason, count(user_id) AS targets FROM delivery_troubles GROUP BY channel',
    );
    return {
      waiting: outbox?.waiting ?? 0,
      troubles: troubles.map(({ channel, reason, targets }) => ({
        what: targets === 0 ? channel : `${channel} to ${targets} of its targets`,
        why: cleanRemoteText(reason),
      })),
    };
  },

  leases: ({ settings, database }) => ({
    monitorEnabled: settings.monitorEnabled,
    leader: holderOf(database, 'monitor'),
    sender: holderOf(database, 'notifier'),
  }),

  descriptors: ({ settings: { sshLink, sshMaxLinks }, database }) => {
    const leader = holderOf(database, 'monitor');
    const ofLeader = leader === null ? null : limitOf(leader);
    const [fleet] = database.rows<{ vpss: number }>(
      `SELECT count(*) AS vpss FROM subscriptions
       WHERE status = 'active' AND vps_provisioned AND provisioning_status = 'ready'`,
    );
    return {
      ...(ofLeader === null
        ? { limit: openFilesLimit(), whose: 'a program that is started here' }
        : { limit: ofLeader, whose: `the server (process ${leader})` }),
      vpss: fleet?.vpss ?? 0,
      maxLinks: sshLink === 'fresh' ? 0 : sshMaxLinks,
    };
  },

  proxy: ({ settings: { addressHeader, origin, listen } }) => ({
    addressHeader,
    published: !isLoopbackName(URL.parse(origin)?.hostname ?? ''),
    listensInside: isLoopbackName(listen.host),
  }),
};

const isLoopbackName = (host: string): boolean =>
  host === 'localhost' || isLoopbackAddress(host.replaceAll(/[[\]]/g, ''));

const SMTP_PORTS: Readonly<Record<string, number>> = { 'smtp:': 587, 'smtps:': 465 };

function mailServer({ notifications: { smtpUrl } }: Settings): { readonly host: string; readonly port: number } | null {
  const url = smtpUrl === null ? null : URL.parse(smtpUrl);
  if (url === null) return null;
  return { host: url.hostname.replaceAll(/[[\]]/g, ''), port: Number(url.port) || (SMTP_PORTS[url.protocol] ?? 25) };
}

/** Connects to what may be dialled, as the monitor does: a name is looked up once, and all that it leads to is judged. */
async function connectWithin(reach: Reach, targets: readonly Target[], deadline: AbortSignal): Promise<Tried> {
  const found = await tryNetwork(
    targets.map((target) => ({ ...target, port: null })),
    deadline,
  );
  const judged = found.worked.map(({ what, addresses }) => ({
    what,
    addresses,
    refusal: refusalOfAll(
      addresses.map(({ address }) => address),
      reach,
    ),
  }));
  const allowed = targets.flatMap((target) => {
    const one = judged.find(({ what, refusal }) => what === target.what && refusal === null);
    return one ? [{ ...target, addresses: one.addresses }] : [];
  });
  const refused = judged.flatMap(({ what, refusal }) => (refusal === null ? [] : [{ what, why: refusal }]));
  const { worked, failed } = await tryNetwork(allowed, deadline);
  return { worked, failed: [...found.failed, ...refused, ...failed] };
}

const asTarget = ({ host, port }: { readonly host: string; readonly port: number }): Target => ({
  what: hostAndPort(host, port),
  host,
  port,
});

/** Null where there is no systemd to say so. */
async function isClockSynchronized(signal: AbortSignal): Promise<boolean | null> {
  try {
    const { stdout } = await promisify(execFile)('timedatectl', ['show', '--property=NTPSynchronized', '--value'], {
      signal,
    });
    return stdout.trim() === 'yes' ? true : stdout.trim() === 'no' ? false : null;
  } catch {
    return null;
  }
}

function isTimeZone(zone: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: zone }).resolvedOptions().timeZone !== '';
  } catch {
    return false;
  }
}

/** The process that has the lease now; of this machine, only one that lives. */
function holderOf(database: Inspection, name: string): number | null {
  const [lease] = database.rows<{ pid: number; machine: string }>(
    "SELECT pid, machine FROM leases WHERE name = ? AND holder <> '' AND expires_at > ?",
    name,
    Date.now(),
  );
  return lease && (lease.machine !== MACHINE || isAlive(lease.pid)) ? lease.pid : null;
}

/** Null where this is not Linux, or the process is another user's or another machine's. */
function limitOf(pid: number): number | null {
  try {
    const [, soft] = /^Max open files +(\d+|unlimited)/m.exec(readFileSync(`/proc/${pid}/limits`, 'utf8')) ?? [];
    return soft === undefined ? null : soft === 'unlimited' ? Infinity : Number(soft);
  } catch {
    return null;
  }
}

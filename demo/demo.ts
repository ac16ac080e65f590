// `npm run demo`: two dozen VPSs that are real SSH servers on loopback, a script of events, and the real app on top.
import { fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { openApp } from '../src/lib/app.ts';
import { LOCAL_OPERATOR } from '../src/lib/auth/actor.ts';
import { addVps } from '../src/lib/fleet-admin/fleet-admin.ts';
import { parseVps } from '../src/lib/fleet-admin/new-vps.ts';
import { inTerminal } from '../src/lib/parsing/problems.ts';
import { ensureBuilt, PROJECT_DIR } from '../scripts/built.js';
import { settingsOrExit } from '../scripts/settings-or-exit.ts';
import { newKeyPair } from './key-pair.ts';
import { makeLogins } from './logins.ts';
import { seedHistory } from './seed-history.ts';
import type { FleetMember, FromFleet, ToFleet } from './fleet.ts';
import { PAST_DAYS } from './past.ts';
import { DATA_DIR, DEMO_SETTINGS, demoEnvironment } from './settings.ts';

process.chdir(PROJECT_DIR);
const environment = demoEnvironment(process.env);
settingsOrExit(environment);
const LOG_FILE = join(DATA_DIR, 'server.log');

/** The log knows users by their id; whoever watches knows them by name. */
const names = new Map<string, string>();
const nameCustomers = (line: string): string => line.replace(/user-[0-9a-f]{16}/, (id) => names.get(id) ?? id);

/** Two providers with two places each, and a few machines that get what is new first. */
const labelsOf = (index: number): string =>
  [
    index % 3 === 2 ? 'provider=ovh' : 'provider=hetzner',
    `region=${(index % 3 === 2 ? ['gra', 'waw'] : ['fsn1', 'hel1'])[index % 2]}`,
    ...(index % 8 === 5 ? ['canary'] : []),
  ].join(', ');

async function fillDatabase(members: readonly FleetMember[], privateKey: string) {
  const app = await openApp(environment, 'server');
  const fleet: { userId: string; vpsId: string }[] = [];
  for (const [index, { customer, host, port }] of members.entries()) {
    const email = `${customer.toLowerCase().replaceAll(/[^a-z]+/g, '-')}@example.test`;
    const parsed = parseVps({
      customer: email,
      name: customer,
      host,
      port: String(port),
      user: 'demo',
      labels: labelsOf(index),
      privateKey,
    });
    if ('problems' in parsed) throw new Error(inTerminal(parsed.problems).join('\n'));
    const { id, userId } = await addVps(app, LOCAL_OPERATOR, parsed.vps);
    fleet.push({ userId, vpsId: id });
    names.set(userId, customer);
  }
  const logins = await makeLogins(app);
  process.stdout.write(`Making up ${PAST_DAYS} days of history for ${fleet.length} VPSs … `);
  const beganMs = performance.now();
  await seedHistory(app, fleet, new Date());
  console.log(`${((performance.now() - beganMs) / 1000).toFixed(1)} s`);
  app.close();
  return logins;
}

await ensureBuilt('server', 'commands');
rmSync(DATA_DIR, { recursive: true, force: true });
mkdirSync(DATA_DIR, { recursive: true, mode: 0o700 });

const login = newKeyPair();
const fleet = fork(join(import.meta.dirname, 'fleet.ts'));
const tellFleet = (message: ToFleet): boolean => fleet.send(message);
tellFleet({ kind: 'build', publicKey: login.public });
const [built] = (await once(fleet, 'message')) as [Extract<FromFleet, { kind: 'built' }>];
const { admin, customer } = await fillDatabase(built.members, login.private);

const server = spawn(process.execPath, [join('scripts', 'start.js')], {
  env: environment,
  stdio: ['ignore', 'pipe', 'inherit'],
});
const log = createWriteStream(LOG_FILE);
const startedMs = performance.now();
const elapsed = (): string => `${Math.round((performance.now() - startedMs) / 1000)} s`.padStart(5);

createInterface({ input: server.stdout }).on('line', (line) => {
  log.write(`${line}\n`);
  if (line.startsWith('Listening on')) {
    announce();
    tellFleet({ kind: 'play' });
  }
  // Two dozen healthy machines each ten seconds are for the log; here is what is worth a look.
  else if (!/: healthy \(check #|sweep (started|completed)/.test(line))
    console.log(`${elapsed()}  ${nameCustomers(line)}`);
});

fleet.on('message', (message: FromFleet) => {
  if (message.kind === 'scene') console.log(`${elapsed()}  » ${message.customer}: ${message.what}`);
});

function announce(): void {
  const url = `http://localhost:${environment.PORT}/`;
  console.log(`
  Wardround demo: ${built.members.length} VPSs, real SSH on loopback, a sweep each 10 s, a cooldown of 2 min.

    Look here:     ${url}
    as admin:      ${admin.email}  ${admin.password}
    as customer:   ${customer.email}  ${customer.password}
    In a terminal: DATABASE_URL=${DEMO_SETTINGS.DATABASE_URL} ENCRYPTION_KEY_FILE=${DEMO_SETTINGS.ENCRYPTION_KEY_FILE} npx wardround vps list
    Whole log:     ${LOG_FILE}

  Within three minutes: a restart that works (Kestrel Foods), a service that never comes back (Nordlys AS: circuit
  opens, trial, opens again), a crash loop (Casa Verde), a host that refuses (Atelier Mirel), one that hangs
  (Fjord Coffee), a changed host key (Hafen Logistik), a service that needs 45 s to start
  (Eikon Studio), one that is killed and back before the next sweep (Bluebird Travel). Lines with » are what is done to the fleet, the others what Wardround does. Ctrl-C ends it all; the next demo starts afresh.
`);
}

// Ctrl-C reaches the server by itself; a SIGTERM comes here alone.
process.on('SIGINT', () => undefined);
process.on('SIGTERM', () => server.kill('SIGTERM'));
const [code] = (await once(server, 'exit')) as [number | null];
if (fleet.connected) fleet.disconnect();
log.end();
process.exitCode = code ?? 1;

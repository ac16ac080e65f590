// `npm run bench -- history`: how large the history of 1,000 VPSs gets in two years, and what it costs to write, read and prune.
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { openApp } from '../src/lib/app.ts';
import { LOCAL_OPERATOR } from '../src/lib/auth/actor.ts';
import { openDatabase, write } from '../src/lib/db/client.ts';
import { users } from '../src/lib/db/schema.ts';
import { readLastChecks, readStrips } from '../src/lib/views/checks-read.ts';
import { readProbeDurations } from '../src/lib/views/probe-read.ts';
import { pruneHistory } from '../src/lib/history/retention.ts';
import { forgetHistory, recordSample } from '../src/lib/history/sample-store.ts';
import { readDailyBars, readUptime } from '../src/lib/views/uptime-read.ts';
import { addFleet, DAY_MS, dumpHistory, fillHistory, looks, MINUTE_MS, settle, userIdOf } from './simulated-history.ts';

const FLEET = Number(process.env.BENCH_FLEET ?? 1_000);
const LARGE_FLEET = 5 * FLEET;
const VERIFIED = 2;
/** Hours that are lived through check by check once the database is full: it then has the pages of a real one. */
const LIVED_HOURS = 12;
const BATCH = 5;
/** Both the beginning of a week as `simulated-history.ts` counts them. */
const TO_MS = 2_970 * 7 * DAY_MS;
const FROM_MS = TO_MS - 105 * 7 * DAY_MS;

const folder = mkdtempSync(join(tmpdir(), 'wardround-bench-'));
const environment = { DATABASE_URL: join(folder, 'w.db'), ENCRYPTION_KEY_FILE: join(folder, 'key') };
const openScratch = (name: string) => openDatabase(join(folder, name), resolve('drizzle'), 'server');
const say = (what: string, figure: string): void => console.log(`${what.padEnd(62)}${figure.padStart(14)}`);
const timed = async (work: () => unknown): Promise<number> => {
  const startMs = performance.now();
  await work();
  return performance.now() - startMs;
};
const median = async (runs: number, work: (run: number) => unknown): Promise<number> => {
  const durations: number[] = [];
  for (let run = 0; run < runs; run++) durations.push(await timed(() => work(run)));
  return durations.toSorted((a, b) => a - b)[Math.floor(runs / 2)] ?? 0;
};

let app = await openApp(environment, 'server');
const { settings, db } = app;
const validMs = settings.history.sampleValidMs;
db.$client.pragma('synchronous = OFF');
db.$client.pragma('cache_size = -600000');
addFleet(app, 0, FLEET);
const weeks = await openScratch('weeks.db');
await fillHistory(app, weeks, FLEET, FROM_MS, TO_MS);

const real = await openScratch('real.db');
real.$client.pragma('synchronous = OFF');
for (let vps = 0; vps < VERIFIED; vps++) {
  real
    .insert(users)
    .values({ id: userIdOf(vps), email: `${vps}@example.test` })
    .run();
  await write(real, (tx) => {
    for (const look of looks(vps, FROM_MS, TO_MS)) recordSample(tx, look, validMs);
    settle(tx, userIdOf(vps));
  });
}
await pruneHistory(real, new Date(TO_MS), settings.history);
for (let vps = 0; vps < VERIFIED; vps++)
  if (dumpHistory(real, userIdOf(vps)) !== dumpHistory(db, userIdOf(vps)))
    throw new Error(`the simulated history of VPS ${vps} is not the one that recording each check leaves`);
real.$client.close();
weeks.$client.close();

console.log(
  `${FLEET} VPSs, a check a minute for two years; ${VERIFIED} of them compared with check-by-check recording\n`,
);
const sizeMb = (): string => `${(statSync(settings.databasePath).size / 1e6).toFixed(0)} MB`;
db.$client.pragma('wal_checkpoint(TRUNCATE)');
say('database, as filled', sizeMb());

let now = TO_MS;
let recordMs = 0;
const prunes: Awaited<ReturnType<typeof pruneHistory>>[] = [];
const pruneDurations: number[] = [];
/** All checks of one minute, recorded in batches as a sweep does. */
const liveOneMinute = async (batch: number): Promise<void> => {
  const due = Array.from({ length: FLEET }, (_, vps) => [...looks(vps, now, now + MINUTE_MS)]).flat();
  for (let first = 0; first < FLEET; first += batch)
    await write(db, (tx) => {
      const startMs = performance.now();
      for (const look of due.slice(first, first + batch)) recordSample(tx, look, validMs);
      recordMs += performance.now() - startMs;
    });
  now += MINUTE_MS;
};
db.$client.pragma('cache_size = -65536');
for (let hour = 0; hour < LIVED_HOURS; hour++) {
  db.$client.pragma('synchronous = OFF');
  for (let minute = 0; minute < 60; minute++) await liveOneMinute(100);
  db.$client.pragma('synchronous = FULL');
  // What the hour has left to the disk is not the work of pruning.
  db.$client.pragma('wal_checkpoint(TRUNCATE)');
  pruneDurations.push(await timed(async () => prunes.push(await pruneHistory(db, new Date(now), settings.history))));
}
db.$client.pragma('wal_checkpoint(TRUNCATE)');
say(`database, after ${LIVED_HOURS} more hours check by check`, sizeMb());
say('recording a sample', `${((recordMs / (LIVED_HOURS * 60 * FLEET)) * 1000).toFixed(0)} µs`);
const minutesMs = await timed(async () => {
  for (let minute = 0; minute < 3; minute++) await liveOneMinute(BATCH);
});
say(
  `the same with its share of a commit (FULL, batches of ${BATCH})`,
  `${((minutesMs / (3 * FLEET)) * 1000).toFixed(0)} µs`,
);
say(
  'pruning once an hour, median',
  `${(pruneDurations.toSorted((a, b) => a - b)[LIVED_HOURS / 2] ?? 0).toFixed(0)} ms`,
);
say('  rows, pieces', `${prunes.at(-1)?.rows}, ${prunes.at(-1)?.chunks}`);
const longest = prunes.map((prune) => prune.longestChunkMs).toSorted((a, b) => a - b);
say('  longest piece in an hour, median', `${(longest[LIVED_HOURS / 2] ?? 0).toFixed(1)} ms`);
say('  longest piece of all', `${(longest.at(-1) ?? 0).toFixed(1)} ms`);

const at = new Date(now);
const vpsId = (run: number): string => `vps-${(run * 37) % FLEET}`;
const ms = (duration: number): string => `${duration.toFixed(1)} ms`;
say('uptime of one VPS, four windows', ms(await median(99, (run) => readUptime(app, LOCAL_OPERATOR, vpsId(run), at))));
say('90 daily bars of one VPS', ms(await median(99, (run) => readDailyBars(app, LOCAL_OPERATOR, vpsId(run), at))));
say('last 60 checks of one VPS', ms(await median(99, (run) => readLastChecks(app, LOCAL_OPERATOR, vpsId(run), at))));
for (const window of ['1h', '24h', '7d', '30d'] as const) {
  const duration = await median(99, (run) =>
    readProbeDurations(app, LOCAL_OPERATOR, { vpsId: vpsId(run), window }, at),
  );
  say(`probe durations of one VPS over ${window}`, ms(duration));
}
const everyStrip = () => readStrips(app, LOCAL_OPERATOR, null, at);
say(`strips of ${FLEET} VPSs`, ms(await median(9, everyStrip)));
const page = Array.from({ length: 50 }, (_, run) => vpsId(run));
say('strips of 50 VPSs', ms(await median(99, () => readStrips(app, LOCAL_OPERATOR, page, at))));
say('forgetting one VPS', ms(await median(9, (run) => write(db, (tx) => forgetHistory(tx, userIdOf(run))))));

app.close();
say(
  'closing and opening the database',
  ms(
    await median(3, async () => {
      app = await openApp(environment, 'server');
      app.close();
    }),
  ),
);
app = await openApp(environment, 'server');
const cpuBefore = process.cpuUsage();
say('  of that quick_check', ms(await timed(() => app.db.$client.pragma('quick_check(1)'))));
const cpu = process.cpuUsage(cpuBefore);
say('  the same in processor time', ms((cpu.user + cpu.system) / 1000));

addFleet(app, FLEET, LARGE_FLEET);
await write(app.db, (tx) => {
  for (let vps = FLEET; vps < LARGE_FLEET; vps++)
    for (const look of looks(vps, now - 2 * 60 * MINUTE_MS, now)) recordSample(tx, look, validMs);
});
say(`strips of ${LARGE_FLEET} VPSs`, ms(await median(9, everyStrip)));
app.close();
rmSync(folder, { recursive: true });

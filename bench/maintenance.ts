// `npm run bench -- maintenance`: what a weekly maintenance window costs whoever asks whether it is open.
import { openApp } from '../src/lib/app.ts';
import { LOCAL_OPERATOR } from '../src/lib/auth/actor.ts';
import { maintenanceWindows, type MaintenanceWindow } from '../src/lib/db/schema.ts';
import { maintenanceAt } from '../src/lib/monitoring/rules/maintenance.ts';
import { readFleetList } from '../src/lib/views/fleet-list.ts';
import { parseFleetQuery } from '../src/lib/views/fleet-query.ts';
import { addLargeFleet } from '../tests/support/large-fleet.ts';
import { scratchEnvironment } from '../tests/support/project.ts';

const VPSS = 200;
const ASKED = 100_000;
const VIEWS = 25;
const ZONES = ['Europe/Oslo', 'America/New_York', 'Australia/Lord_Howe', 'Pacific/Auckland', 'UTC'];

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
const say = (what: string, figure: string): void => console.log(`${what.padEnd(66)}${figure.padStart(12)}`);

const windowOf = (index: number, lengthMinutes: number): MaintenanceWindow => ({
  id: `window-${index}`,
  userId: `user-${String(index).padStart(4, '0')}`,
  kind: 'weekly',
  startsAt: new Date(0),
  endsAt: null,
  weekday: index % 7,
  startMinute: (index * 37) % 1_440,
  durationMinutes: lengthMinutes,
  timeZone: ZONES[index % ZONES.length] ?? 'UTC',
  endedOccurrence: null,
  reason: null,
  createdBy: 'cli',
  createdAt: new Date(0),
});

/** Microseconds an answer. */
function timeAsking(windows: readonly MaintenanceWindow[], from: number): number {
  const startMs = performance.now();
  for (let n = 0; n < ASKED; n++) {
    const window = windows[n % windows.length];
    // Another instant each time, seven minutes on: all times of many weeks.
    if (window) maintenanceAt([window], new Date(from + n * 420_000));
  }
  return ((performance.now() - startMs) / ASKED) * 1000;
}

const now = new Date();
const short = Array.from({ length: VPSS }, (_, index) => windowOf(index, 120));
const long = Array.from({ length: VPSS }, (_, index) => windowOf(index, 6 * 1_440));
timeAsking(long, now.getTime());
say('asking one window of two hours', `${timeAsking(short, now.getTime()).toFixed(1)} µs`);
say(
  'asking one window of six days, which is open most of the time',
  `${timeAsking(long, now.getTime()).toFixed(1)} µs`,
);

const scratch = scratchEnvironment();
const app = await openApp(scratch.environment, 'server');
await addLargeFleet(app, VPSS, now);
const timeViews = (): number[] =>
  Array.from({ length: VIEWS }, () => {
    const startMs = performance.now();
    readFleetList(app, LOCAL_OPERATOR, parseFleetQuery(new URLSearchParams()), now);
    return performance.now() - startMs;
  });
timeViews();
const without = median(timeViews());
app.db.insert(maintenanceWindows).values(short).run();
const withWindows = timeViews();
say(`a view of a fleet of ${VPSS} VPSs without windows, median of ${VIEWS}`, `${without.toFixed(1)} ms`);
say('the same with a weekly window each', `${median(withWindows).toFixed(1)} ms`);
say('the slowest of those', `${Math.max(...withWindows).toFixed(1)} ms`);
app.close();
scratch.remove();

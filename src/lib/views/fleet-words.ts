import type { FleetRow } from './fleet-read.ts';
import { shortDuration, withCommas } from '../facts/time-words.ts';
import type { BreakerSettings } from '../monitoring/circuit-breaker.ts';

/** What a VPS is called on pages and in the terminal: its status, or why it has none that counts. */
export type Condition = 'healthy' | 'unhealthy' | 'down' | 'circuit_open' | 'maintenance' | 'unchecked' | 'not_watched';

export const CONDITION_WORDS: Record<Condition, string> = {
  circuit_open: 'Circuit open',
  down: 'Down',
  unhealthy: 'Unhealthy',
  maintenance: 'Maintenance',
  unchecked: 'Not checked yet',
  healthy: 'Healthy',
  not_watched: 'Not watched',
};

/** The conditions, trouble first. */
export const CONDITIONS = Object.keys(CONDITION_WORDS) as Condition[];

export function conditionOf(row: Pick<FleetRow, 'active' | 'maintenanceSince' | 'status'>): Condition {
  if (!row.active) return 'not_watched';
  if (row.maintenanceSince !== null) return 'maintenance';
  return row.status ?? 'unchecked';
}

type CircuitFacts = Pick<FleetRow, 'circuitState' | 'circuitReason' | 'halfOpenAt' | 'consecutiveFailures' | 'status'>;

/** The circuit, and what happens next. */
export function circuitInWords(row: CircuitFacts, now: Date, { maxConsecutiveFailures }: BreakerSettings): string {
  switch (row.circuitState) {
    case 'closed':
      return row.consecutiveFailures === 0
        ? 'Closed'
        : `Closed · ${row.consecutiveFailures} of ${maxConsecutiveFailures} failures`;
    case 'half_open':
      return 'Half-open · one trial when SSH works';
    case 'open':
      return row.halfOpenAt === null
        ? 'Open'
        : `Open · trial in ${shortDuration(row.halfOpenAt.getTime() - now.getTime())}`;
  }
}

type SeenFacts = Pick<FleetRow, 'lastError' | 'authRetryAt' | 'maintenanceSince' | 'maintenanceUntil'>;

/** The last error with what is done about it, and how long maintenance goes on; empty where all is well. */
export function whatWeSaw(row: SeenFacts, now: Date): string {
  const { maintenanceUntil: until } = row;
  const maintained =
    row.maintenanceSince === null || until === null
      ? ''
      : `maintenance ends in ${shortDuration(until.getTime() - now.getTime())}`;
  const wait =
    row.authRetryAt !== null && row.authRetryAt > now
      ? `next login in ${shortDuration(row.authRetryAt.getTime() - now.getTime())}`
      : '';
  return [maintained, row.lastError, wait].filter(Boolean).join(' · ');
}

/** How many VPSs are in each condition. */
export type Counts = Readonly<Record<Condition, number>>;

export function countConditions(rows: readonly Pick<FleetRow, 'active' | 'maintenanceSince' | 'status'>[]): Counts {
  const counts = Object.fromEntries(CONDITIONS.map((condition) => [condition, 0])) as Record<Condition, number>;
  for (const row of rows) counts[conditionOf(row)]++;
  return counts;
}

/** Trouble first; where that is equal, as they came. */
export const byTrouble = <Row extends Pick<FleetRow, 'active' | 'maintenanceSince' | 'status'>>(
  rows: readonly Row[],
): Row[] => rows.toSorted((a, b) => CONDITIONS.indexOf(conditionOf(a)) - CONDITIONS.indexOf(conditionOf(b)));

/** A piece of a sentence; with a condition, it is shown in that condition's colour. */
export type Phrase = { readonly text: string; readonly condition?: Condition };

const TROUBLE: readonly (readonly [Condition, (count: number) => string])[] = [
  ['circuit_open', (count) => (count === 1 ? '1 circuit is open' : `${withCommas(count)} circuits are open`)],
  ['down', (count) => `${withCommas(count)} ${count === 1 ? 'is' : 'are'} unreachable`],
  ['unhealthy', (count) => `${withCommas(count)} ${count === 1 ? 'is' : 'are'} unhealthy`],
  ['unchecked', (count) => `${withCommas(count)} ${count === 1 ? 'has' : 'have'} not been checked yet`],
  ['maintenance', (count) => `${withCommas(count)} ${count === 1 ? 'is' : 'are'} under maintenance`],
];

/** The whole fleet in one or two sentences: `44 of 48 VPSs are healthy. 1 circuit is open, 1 is unreachable.` */
export function fleetSentence(counts: Counts): Phrase[] {
  const watched = CONDITIONS.filter((condition) => condition !== 'not_watched').reduce(
    (sum, condition) => sum + counts[condition],
    0,
  );
  if (watched === 0) return [{ text: 'No VPS is watched yet.' }];
  if (counts.healthy === watched)
    return [{ text: watched === 1 ? 'The one VPS is healthy.' : `All ${withCommas(watched)} VPSs are healthy.` }];
  const phrases = TROUBLE.flatMap(([condition, say]) =>
    counts[condition] > 0 ? [{ text: say(counts[condition]), condition }] : [],
  );
  return [
    { text: `${withCommas(counts.healthy)} of ${withCommas(watched)} VPSs ${watched === 1 ? 'is' : 'are'} healthy. ` },
    ...phrases.flatMap((phrase, index) => (index === 0 ? [phrase] : [{ text: ', ' }, phrase])),
    { text: '.' },
  ];
}

/** One VPS in a sentence or two: how it is, and what happens next. For operators: customers get plainer words. */
export function vpsSentence(row: FleetRow, now: Date, breaker: BreakerSettings): string {
  const condition = conditionOf(row);
  const left = breaker.maxConsecutiveFailures - row.consecutiveFailures;
  const untilOpen = left === 1 ? 'One more failure opens the circuit.' : `${left} more failures open the circuit.`;
  switch (condition) {
    case 'not_watched':
      return `Not watched: its subscription is ${row.subscriptionStatus.replace('_', ' ')}.`;
    case 'maintenance':
      return 'Under maintenance: looked at in every sweep, but neither restarted nor counted.';
    case 'unchecked':
      return row.lastError === null
        ? 'Not checked yet: the next sweep does.'
        : 'Could not be checked yet, through a fault of the monitor.';
    case 'healthy':
      return row.lastErrorCode === null
        ? `${row.service} is running.`
        : `${row.service} was running when it was last seen.`;
    case 'unhealthy':
      return `SSH works, but ${row.service} is not active. ${untilOpen}`;
    case 'down':
      return `No check was possible over SSH, so no restart is tried. ${untilOpen}`;
    case 'circuit_open': {
      const reason =
        row.circuitReason === 'crash_loop'
          ? `${row.service} keeps dying after restarts`
          : `${row.consecutiveFailures} checks in a row failed`;
      const next =
        row.halfOpenAt === null
          ? 'One trial restart follows as soon as SSH works.'
          : `Automatic restarts pause; one trial in ${shortDuration(row.halfOpenAt.getTime() - now.getTime())}. Checks go on meanwhile.`;
      return `${reason}. ${next}`;
    }
  }
}

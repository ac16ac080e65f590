import { CAUSES, isBeyondRestart, isOurFault, traitsOf, type FirstAction } from '../facts/cause.ts';
import { isKnown } from '../facts/freshness.ts';
import type { MonitorState } from '../db/schema.ts';
import type { FleetRow } from './fleet-read.ts';
import { shortDuration, timeInWords, withCommas } from '../facts/time-words.ts';
import type { BreakerSettings } from '../monitoring/circuit-breaker.ts';

/** What a VPS is called on pages and in the terminal: what was seen of it, or why nothing that counts was. */
export type Condition =
  'down' | 'unhealthy' | 'unknown' | 'maintenance' | 'unchecked' | 'healthy' | 'not_ready' | 'not_watched';

export const CONDITION_WORDS: Record<Condition, string> = {
  down: 'Unreachable',
  unhealthy: 'Unhealthy',
  unknown: 'Not known',
  maintenance: 'Maintenance',
  unchecked: 'Not checked yet',
  healthy: 'Healthy',
  not_ready: 'Not ready',
  not_watched: 'Not watched',
};

/** The conditions, trouble first. */
export const CONDITIONS = Object.keys(CONDITION_WORDS) as Condition[];

type SeenFacts = Pick<FleetRow, 'status' | 'reachable'>;
type ConditionFacts = SeenFacts & Pick<FleetRow, 'active' | 'notReadyWhy' | 'maintenanceSince' | 'knownUntil'>;

/** What the last look saw. An open circuit hides nothing: unreachable and not running are told apart behind it. */
function seenOf(row: SeenFacts): 'down' | 'unhealthy' | 'healthy' | null {
  if (row.status !== 'circuit_open') return row.status;
  return row.reachable === false ? 'down' : 'unhealthy';
}

/** What was seen too long ago is not known any more, whatever it was. */
export function conditionOf(row: ConditionFacts, now: Date): Condition {
  if (!row.active) return row.notReadyWhy === null ? 'not_watched' : 'not_ready';
  if (row.maintenanceSince !== null) return 'maintenance';
  const seen = seenOf(row);
  return seen === null ? 'unchecked' : isKnown(row, now) ? seen : 'unknown';
}

/** What a list of VPSs can be narrowed to: a condition, or those of whatever condition whose circuit is open. */
export type FleetFilter = Condition | 'circuit_open';
export const FILTER_WORDS: Record<FleetFilter, string> = { ...CONDITION_WORDS, circuit_open: 'Circuit open' };
export const FILTERS = Object.keys(FILTER_WORDS) as FleetFilter[];

type FilterFacts = ConditionFacts & Pick<FleetRow, 'circuitState'>;

/** Whether restarts of this VPS pause, which somebody has to see to; not under maintenance, and not where nobody looks. */
export const isCircuitOpen = (row: FilterFacts, now: Date): boolean =>
  row.circuitState !== 'closed' && ['down', 'unhealthy'].includes(conditionOf(row, now));

export const isFoundBy = (filter: FleetFilter, row: FilterFacts, now: Date): boolean =>
  filter === 'circuit_open' ? isCircuitOpen(row, now) : conditionOf(row, now) === filter;

type CircuitFacts = Pick<
  FleetRow,
  'circuitState' | 'circuitReason' | 'halfOpenAt' | 'consecutiveFailures' | 'status' | 'reachable' | 'lastErrorCode'
>;

/** What has to happen before an open circuit has its trial restart. */
function waitsFor({ lastErrorCode, reachable }: CircuitFacts): 'time' | 'ssh' | 'mending' {
  if (isBeyondRestart(lastErrorCode)) return CAUSES[lastErrorCode].silent ? 'ssh' : 'mending';
  return reachable === false ? 'ssh' : 'time';
}

/** The circuit, and what happens next. */
export function circuitInWords(row: CircuitFacts, now: Date, { maxConsecutiveFailures }: BreakerSettings): string {
  const waits = waitsFor(row);
  switch (row.circuitState) {
    case 'closed':
      return row.consecutiveFailures === 0
        ? 'Closed'
        : `Closed · ${row.consecutiveFailures} of ${maxConsecutiveFailures} failures`;
    case 'half_open':
      if (waits === 'mending') return 'Half-open · no restart helps';
      return `Half-open · one trial ${waits === 'ssh' ? 'when SSH works' : 'restart'}`;
    case 'open':
      if (waits === 'mending') return 'Open · no restart helps';
      if (waits === 'ssh') return 'Open · until SSH works';
      return row.halfOpenAt === null
        ? 'Open'
        : `Open · trial in ${shortDuration(row.halfOpenAt.getTime() - now.getTime())}`;
  }
}

type StartFacts = Pick<FleetRow, 'lastErrorCode' | 'startingSince' | 'startingUntil'>;

/** `starting since 40 s, is given until 14:03 UTC`; null while no start is waited for, or nobody has looked for long. */
function startInWords(row: StartFacts & ConditionFacts, now: Date): string | null {
  const { lastErrorCode, startingSince, startingUntil } = row;
  if (lastErrorCode !== 'service_starting' || startingSince === null || startingUntil === null) return null;
  if (!isKnown(row, now)) return null;
  const since = shortDuration(now.getTime() - startingSince.getTime());
  return `starting since ${since}, is given until ${timeInWords(startingUntil.getTime(), now.getTime())}`;
}

type RowFacts = StartFacts &
  ConditionFacts &
  Pick<FleetRow, 'lastCheckAt' | 'lastError' | 'authRetryAt' | 'maintenanceUntil'>;

/**
 * The last error with what is done about it, since when nobody has looked, and how long maintenance goes on; empty where
 * all is well.
 */
export function whatWeSaw(row: RowFacts, now: Date): string {
  const { maintenanceUntil: until } = row;
  const maintained =
    row.maintenanceSince === null || until === null
      ? ''
      : `maintenance ends in ${shortDuration(until.getTime() - now.getTime())}`;
  const wait =
    row.authRetryAt !== null && row.authRetryAt > now
      ? `next login in ${shortDuration(row.authRetryAt.getTime() - now.getTime())}`
      : '';
  return [row.notReadyWhy, maintained, notCheckedSince(row, now), startInWords(row, now) ?? row.lastError, wait]
    .filter(Boolean)
    .join(' · ');
}

function notCheckedSince(row: RowFacts, now: Date): string {
  const seen = seenOf(row);
  if (row.lastCheckAt === null || seen === null || !row.active || isKnown(row, now)) return '';
  return `not checked since ${timeInWords(row.lastCheckAt.getTime(), now.getTime())}, ${CONDITION_WORDS[seen].toLowerCase()} then`;
}

/** How many VPSs each filter finds: one with an open circuit is counted twice, there and by its condition. */
export type Counts = Readonly<Record<FleetFilter, number>>;

export const countFilters = (rows: readonly FilterFacts[], now: Date): Counts =>
  Object.fromEntries(
    FILTERS.map((filter) => [filter, rows.filter((row) => isFoundBy(filter, row, now)).length]),
  ) as Counts;

const rankOf = (row: FilterFacts, now: Date): number =>
  CONDITIONS.indexOf(conditionOf(row, now)) - (isCircuitOpen(row, now) ? CONDITIONS.length : 0);

/** Trouble first, and of that open circuits; where that is equal, as they came. */
export const byTrouble = <Row extends FilterFacts>(rows: readonly Row[], now: Date): Row[] =>
  rows.toSorted((a, b) => rankOf(a, now) - rankOf(b, now));

/** A piece of a sentence; with a mark, it is shown in the colour of that. */
export type Phrase = { readonly text: string; readonly mark?: FleetFilter };

const TROUBLE: readonly (readonly [Condition, (count: number) => string])[] = [
  ['down', (count) => `${withCommas(count)} ${count === 1 ? 'is' : 'are'} unreachable`],
  ['unhealthy', (count) => `${withCommas(count)} ${count === 1 ? 'is' : 'are'} unhealthy`],
  ['unknown', (count) => `${withCommas(count)} ${count === 1 ? 'has' : 'have'} not been checked lately`],
  ['unchecked', (count) => `${withCommas(count)} ${count === 1 ? 'has' : 'have'} not been checked yet`],
  ['maintenance', (count) => `${withCommas(count)} ${count === 1 ? 'is' : 'are'} under maintenance`],
];

/** How many VPSs sweeps look at. */
export const countWatched = (counts: Counts): number =>
  CONDITIONS.filter((condition) => condition !== 'not_watched' && condition !== 'not_ready').reduce(
    (sum, condition) => sum + counts[condition],
    0,
  );

/** The whole fleet in one or two sentences: `44 of 48 VPSs are healthy. 3 are unreachable, 1 is unhealthy; 2 circuits are open.` */
export const fleetSentence = (counts: Counts): Phrase[] => [
  ...watchedSentence(counts),
  ...(counts.not_ready === 0
    ? []
    : [
        { text: ' ' },
        {
          text: `${withCommas(counts.not_ready)} ${counts.not_ready === 1 ? 'is' : 'are'} not ready`,
          mark: 'not_ready' as const,
        },
        { text: ' to be watched.' },
      ]),
];

function watchedSentence(counts: Counts): Phrase[] {
  const watched = countWatched(counts);
  if (watched === 0) return [{ text: 'No VPS is watched yet.' }];
  if (counts.healthy === watched)
    return [{ text: watched === 1 ? 'The one VPS is healthy.' : `All ${withCommas(watched)} VPSs are healthy.` }];
  const phrases = TROUBLE.flatMap(([mark, say]) => (counts[mark] > 0 ? [{ text: say(counts[mark]), mark }] : []));
  const open = counts.circuit_open;
  return [
    { text: `${withCommas(counts.healthy)} of ${withCommas(watched)} VPSs ${watched === 1 ? 'is' : 'are'} healthy. ` },
    ...phrases.flatMap((phrase, index) => (index === 0 ? [phrase] : [{ text: ', ' }, phrase])),
    ...(open === 0
      ? []
      : [
          { text: '; ' },
          {
            text: open === 1 ? '1 circuit is open' : `${withCommas(open)} circuits are open`,
            mark: 'circuit_open' as const,
          },
        ]),
    { text: '.' },
  ];
}

type WhatIsDone = {
  readonly breaker: BreakerSettings;
  readonly healing: MonitorState['healing'];
  /** A restart has been sent, and how it ends is not known yet. */
  readonly isRestarting: boolean;
};

/** One VPS in a sentence or two: how it is, and what happens next. For operators: customers get plainer words. */
export function vpsSentence(row: FleetRow, now: Date, done: WhatIsDone): string {
  const condition = conditionOf(row, now);
  switch (condition) {
    case 'not_ready':
      return 'Not ready: it is watched as soon as its preflight has passed.';
    case 'not_watched':
      return `Not watched: its subscription is ${row.subscriptionStatus.replace('_', ' ')}.`;
    case 'unknown':
      return 'How it is now is not known: the last look is too long ago.';
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
    case 'down': {
      const start = startInWords(row, now);
      if (done.isRestarting && condition === 'unhealthy')
        return `${row.service} is not active; a restart is under way.`;
      if (start !== null) return `${row.service} is ${start}: nothing is restarted or counted meanwhile.`;
      return row.circuitState === 'closed' ? inTrouble(row, condition, done) : restartsPause(row, now, done);
    }
  }
}

function inTrouble(row: FleetRow, condition: 'unhealthy' | 'down', { breaker, healing }: WhatIsDone): string {
  const { lastErrorCode: cause } = row;
  const left = breaker.maxConsecutiveFailures - row.consecutiveFailures;
  const untilOpen = left === 1 ? 'One more failure opens the circuit.' : `${left} more failures open the circuit.`;
  const what = isBeyondRestart(cause) ? `${CAUSES[cause].title}. ` : '';
  if (condition === 'down') return `${what}No check was possible over SSH, so no restart is tried. ${untilOpen}`;
  return what === ''
    ? `SSH works, but ${row.service} is not active. ${healing === 'on' ? untilOpen : `Healing is ${healing}: nothing is restarted or counted.`}`
    : `${what}SSH works, but a restart could not help, so none is tried. ${untilOpen}`;
}

const CHECKS_CLOSE_IT = 'Checks go on, and the first healthy one closes the circuit.';

function restartsPause(row: FleetRow, now: Date, { healing }: WhatIsDone): string {
  const { lastErrorCode: cause } = row;
  const failed = `${row.consecutiveFailures} checks in a row failed. `;
  switch (waitsFor(row)) {
    case 'ssh':
      return `${cause === null || isOurFault(cause) ? '' : `${CAUSES[cause].title}. `}${failed}No restart is tried while SSH does not work. ${CHECKS_CLOSE_IT}`;
    case 'mending':
      return `${cause === null ? '' : `${CAUSES[cause].title}. `}${failed}A restart could not help. ${CHECKS_CLOSE_IT}`;
    case 'time': {
      const what = row.circuitReason === 'crash_loop' ? `${row.service} keeps dying after restarts. ` : failed;
      if (healing !== 'on') return `${what}Healing is ${healing}: no trial restart is sent. ${CHECKS_CLOSE_IT}`;
      return row.halfOpenAt === null
        ? `${what}One trial restart follows with the next check that finds it stopped.`
        : `${what}Automatic restarts pause; one trial in ${shortDuration(row.halfOpenAt.getTime() - now.getTime())}. Checks go on meanwhile.`;
    }
  }
}

/** What an admin can do about the last error, and what of that comes first; null where there is none. */
export const adviceFor = ({
  lastErrorCode,
}: Pick<FleetRow, 'lastErrorCode'>): { readonly todo: string; readonly first: FirstAction } | null =>
  lastErrorCode && traitsOf(lastErrorCode);

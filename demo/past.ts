// What might have happened to a VPS in the last 90 days: made up, and the same for the same VPS.
import { chance } from '../bench/chance.ts';
import type { JournalDetail, JournalKind } from '../src/lib/facts/journal.ts';
import type { SampleState } from '../src/lib/history/rules/spans.ts';

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
export const DAY_MS = 24 * HOUR_MS;
export const PAST_DAYS = 90;

export type PastSample = { readonly atMs: number; readonly state: SampleState; readonly probeMs: number | null };
type PastEvent = { readonly atMs: number; readonly kind: JournalKind; readonly detail: JournalDetail };
type PastRestart = { readonly atMs: number; readonly outcome: 'succeeded' | 'failed' };

export type PastIncident = {
  readonly openedMs: number;
  readonly endedMs: number;
  readonly cause: 'service_not_active' | 'timeout' | 'refused';
  readonly firstError: string;
  readonly endedBy: 'restart' | 'by_itself';
  readonly failedChecks: number;
  readonly circuitOpenedMs: number | null;
  readonly acknowledgedMs: number | null;
  readonly events: readonly PastEvent[];
  readonly restarts: readonly PastRestart[];
};

/** Checks lie so far apart; the closer to now, the closer together. */
const STEPS: readonly (readonly [untilDaysAgo: number, stepMs: number])[] = [
  [7, 30 * MINUTE_MS],
  [1, 5 * MINUTE_MS],
  [1 / 24, MINUTE_MS],
  // As often as the demo sweeps.
  [0, 10 * SECOND_MS],
];
/** So long a made-up check stands; longer than the longest step. */
export const PAST_VALID_MS = 40 * MINUTE_MS;
/** Nothing of late, so that the restarts of the demo have their whole budget. */
const QUIET_MS = 2 * HOUR_MS;
const COOLDOWN_MS = 30 * MINUTE_MS;

/** The past of the VPS with this number, up to `nowMs`; samples and incidents in the order of time. */
export function pastOf(vps: number, nowMs: number): { samples: PastSample[]; incidents: PastIncident[] } {
  const random = chance(vps + 1);
  const usualMs = 25 + 120 * random();
  // Some are customers for less than the whole time.
  const beginMs = nowMs - (vps % 8 === 5 ? 30 + Math.floor(random() * 40) : PAST_DAYS) * DAY_MS;
  const incidents = makeIncidents(vps, beginMs, nowMs, random);
  const samples: PastSample[] = [];
  for (let atMs = beginMs; atMs < nowMs; atMs += stepAt(nowMs - atMs)) {
    const state = stateAt(atMs, incidents, vps, nowMs);
    samples.push({ atMs, state, probeMs: state === 'down' ? null : probeAt(atMs, usualMs, random) });
  }
  // Trouble begins and ends between two of those.
  for (const { openedMs, endedMs, cause } of incidents) {
    const trouble = cause === 'service_not_active' ? 'unhealthy' : 'down';
    samples.push({ atMs: openedMs, state: trouble, probeMs: trouble === 'down' ? null : Math.round(usualMs) });
    samples.push({ atMs: endedMs, state: 'healthy', probeMs: null });
  }
  return { samples: samples.toSorted((a, b) => a.atMs - b.atMs), incidents };
}

const stepAt = (ageMs: number): number =>
  STEPS.find(([untilDaysAgo]) => ageMs > untilDaysAgo * DAY_MS)?.[1] ?? 10 * SECOND_MS;

function stateAt(atMs: number, incidents: readonly PastIncident[], vps: number, nowMs: number): SampleState {
  const during = incidents.find(({ openedMs, endedMs }) => atMs >= openedMs && atMs < endedMs);
  if (during) return during.cause === 'service_not_active' ? 'unhealthy' : 'down';
  const ageMs = nowMs - atMs;
  // A fault of the monitor that concerned all of them, and new disks for some.
  if (ageMs > 32 * DAY_MS && ageMs < 34.2 * DAY_MS) return 'unknown';
  if (vps % 5 === 2 && ageMs > 12 * DAY_MS && ageMs < 12.2 * DAY_MS) return 'maintenance';
  return 'healthy';
}

/** Slower in the afternoon, and now and then slow for no reason. */
function probeAt(atMs: number, usualMs: number, random: () => number): number {
  const ofDay = 1 + 0.25 * Math.sin((2 * Math.PI * (atMs % DAY_MS)) / DAY_MS - 2);
  const spread = -Math.log(1 - random() * 0.999);
  return Math.round(usualMs * ofDay * (0.75 + 0.25 * spread));
}

function makeIncidents(vps: number, beginMs: number, nowMs: number, random: () => number): PastIncident[] {
  const count = vps % 7 === 1 ? 9 : 1 + Math.floor(random() * 4);
  const spanMs = nowMs - QUIET_MS - beginMs;
  // One in each share of the time: so they neither overlap nor come in order of a calendar.
  return Array.from({ length: count }, (_, index) => {
    const openedMs = Math.round(beginMs + ((index + 0.1 + 0.7 * random()) / count) * spanMs);
    const luck = random();
    if (luck < 0.5) return restarted(openedMs, luck < 0.15 ? 2 : 1);
    if (luck < 0.6) return tripped(openedMs, 1 + Math.floor(random() * 2));
    return unreachable(openedMs, 1 + Math.floor(random() ** 2 * 25), luck < 0.85 ? 'timeout' : 'refused');
  });
}

const STOPPED = 'service not active: failed (exit-code)';
const RESTART_FAILED =
  'restart failed with exit code 1: Job for rachel8.service failed because the control process exited with error code.';

/** The service stops; the first restarts may fail, the last one works. */
function restarted(openedMs: number, tries: number): PastIncident {
  const events: PastEvent[] = [];
  const restarts: PastRestart[] = [];
  for (let attempt = 0; attempt < tries; attempt++) {
    const atMs = openedMs + attempt * MINUTE_MS;
    const works = attempt === tries - 1;
    events.push({ atMs, kind: 'restart_intended', detail: {} });
    if (attempt === 0) events.push(failedCheck(atMs + 4 * SECOND_MS, 'service_not_active', STOPPED));
    events.push({
      atMs: atMs + 4 * SECOND_MS,
      kind: works ? 'restart_succeeded' : 'restart_failed',
      detail: works ? {} : { message: RESTART_FAILED },
    });
    restarts.push({ atMs, outcome: works ? 'succeeded' : 'failed' });
  }
  const endedMs = openedMs + (tries - 1) * MINUTE_MS + 4 * SECOND_MS;
  return {
    ...{ openedMs, endedMs, cause: 'service_not_active', firstError: STOPPED, endedBy: 'restart' },
    ...{ failedChecks: tries, circuitOpenedMs: null, acknowledgedMs: null, restarts },
    events: [...events, recovered(openedMs, endedMs, 'restart')],
  };
}

/** Three restarts fail and the circuit opens; somebody looks, and a trial works in the end. */
function tripped(openedMs: number, trials: number): PastIncident {
  const first = restarted(openedMs, 3);
  const circuitOpenedMs = openedMs + 2 * MINUTE_MS + 4 * SECOND_MS;
  const acknowledgedMs = circuitOpenedMs + 11 * MINUTE_MS;
  const events: PastEvent[] = [
    ...first.events.slice(0, -2),
    { atMs: circuitOpenedMs, kind: 'restart_failed', detail: { message: RESTART_FAILED } },
    { atMs: circuitOpenedMs, kind: 'circuit_opened', detail: { reason: 'failures', failures: 3 } },
    { atMs: acknowledgedMs, kind: 'admin_action', detail: { action: 'incident_acknowledged' } },
  ];
  const restarts: PastRestart[] = first.restarts.map(({ atMs }) => ({ atMs, outcome: 'failed' }));
  let endedMs = circuitOpenedMs;
  for (let trial = 1; trial <= trials; trial++) {
    const atMs = circuitOpenedMs + trial * (COOLDOWN_MS + 20 * SECOND_MS);
    endedMs = atMs + 4 * SECOND_MS;
    events.push({ atMs, kind: 'trial_began', detail: {} });
    if (trial < trials) events.push({ atMs: endedMs, kind: 'trial_failed', detail: {} });
    else events.push({ atMs: endedMs, kind: 'restart_succeeded', detail: {} });
    restarts.push({ atMs, outcome: trial < trials ? 'failed' : 'succeeded' });
  }
  events.push(recovered(openedMs, endedMs, 'restart'), { atMs: endedMs, kind: 'circuit_closed', detail: {} });
  const failedChecks = Math.floor((endedMs - openedMs) / MINUTE_MS) + 1;
  return { ...first, endedMs, failedChecks, circuitOpenedMs, acknowledgedMs, events, restarts };
}

/** The host does not answer for some minutes and is back by itself. */
function unreachable(openedMs: number, minutes: number, cause: 'timeout' | 'refused'): PastIncident {
  const firstError = cause === 'timeout' ? 'no answer within 10 s (connect)' : 'the host refused the connection';
  const endedMs = openedMs + minutes * MINUTE_MS;
  const circuitOpenedMs = minutes > 2 ? openedMs + 2 * MINUTE_MS : null;
  const events: PastEvent[] = [failedCheck(openedMs, cause, firstError)];
  if (circuitOpenedMs !== null)
    events.push({ atMs: circuitOpenedMs, kind: 'circuit_opened', detail: { reason: 'failures', failures: 3 } });
  events.push(recovered(openedMs, endedMs, 'by_itself'));
  if (circuitOpenedMs !== null) events.push({ atMs: endedMs, kind: 'circuit_closed', detail: {} });
  return {
    ...{ openedMs, endedMs, cause, firstError, endedBy: 'by_itself', failedChecks: minutes },
    ...{ circuitOpenedMs, acknowledgedMs: null, events, restarts: [] },
  };
}

const failedCheck = (atMs: number, cause: string, message: string): PastEvent => ({
  atMs,
  kind: 'check_failed',
  detail: { cause, message },
});
const recovered = (openedMs: number, endedMs: number, by: string): PastEvent => ({
  atMs: endedMs,
  kind: 'recovered',
  detail: { afterMs: endedMs - openedMs, by },
});

import type { MonitorState } from '../db/schema.ts';
import type { MonitorStatus } from '../monitoring/health-checker.ts';
import { isBeyondRestart, isOurFault, traitsOf, type Cause } from '../facts/cause.ts';
import { TROUBLE_WORDS, type Trouble } from '../facts/trouble-words.ts';
import { isKnown } from '../facts/freshness.ts';
import { timeInWords, shortDuration } from '../facts/time-words.ts';
import type { FleetRow } from './fleet-read.ts';
import type { IncidentRow } from './incident-read.ts';
import type { Condition } from './fleet-words.ts';

/** What a customer's page knows of the own VPS; nothing that a machine said. */
export type CustomerFacts = {
  readonly vps: Pick<
    FleetRow,
    | 'active'
    | 'subscriptionStatus'
    | 'maintenanceSince'
    | 'maintenanceUntil'
    | 'knownUntil'
    | 'status'
    | 'circuitState'
    | 'circuitReason'
    | 'halfOpenAt'
    | 'lastCheckAt'
    | 'lastHealthyAt'
    | 'lastErrorCode'
    | 'startingUntil'
    | 'authRetryAt'
  >;
  /** The one that is open. */
  readonly incident: Pick<IncidentRow, 'openedAt' | 'cause' | 'restarts' | 'acknowledgedAt'> | null;
  /** A restart has been sent, and how it ends is not known yet. */
  readonly isRestarting: boolean;
  /** When a restart of ours last brought the service back. */
  readonly restartedAt: Date | null;
  /** `role`: `off` where no server on this database sweeps. */
  readonly monitor: Pick<MonitorStatus, 'role' | 'nextSweepAt'> &
    Pick<MonitorState, 'healing'> & {
      /** Much of the fleet became unreachable at once, so no check counts. */
      readonly outage: boolean;
    };
};

/** How things are, and what happens next; `mark` and `label` are the same in a shape and a word. */
export type CustomerSentence = {
  readonly mark: Condition;
  readonly label: string;
  readonly now: string;
  readonly next: string;
  /** Whether something is wrong that the customer may worry about. */
  readonly trouble: boolean;
};

const RESTART_NEWS_MS = 60 * 60_000;

/** One VPS for the person who rents it: plain, calm, in one breath. */
export function customerSentence(facts: CustomerFacts, now: Date): CustomerSentence {
  const { vps } = facts;
  if (!vps.active) return notWatched(vps);
  if (vps.maintenanceSince !== null) return underMaintenance(facts, now);
  if (vps.status === null) return notChecked(facts, now);
  const unknown = whyUnknown(facts, now);
  if (unknown !== null) {
    const next = [lastSeen(vps.lastHealthyAt, now), unknown.next].filter(Boolean).join(' ');
    return { mark: 'unknown', label: 'Unknown', now: unknown.now, next, trouble: false };
  }
  switch (vps.status) {
    case 'healthy':
      return running(facts, now);
    case 'unhealthy':
    case 'down':
    case 'circuit_open':
      return inTrouble(facts, vps.lastErrorCode ?? 'unknown', now);
    default:
      return vps.status satisfies never;
  }
}

const notWatched = ({ subscriptionStatus }: CustomerFacts['vps']): CustomerSentence => ({
  mark: 'not_watched',
  label: 'Not watched',
  ...{
    active: { now: 'Your server is being set up.', next: 'Checks begin as soon as it is ready.' },
    past_due: {
      now: 'Checks have stopped: a payment is overdue.',
      next: 'They go on as soon as it has arrived.',
    },
    canceled: { now: 'Checks have ended: your subscription is cancelled.', next: 'Nothing is restarted any more.' },
  }[subscriptionStatus],
  trouble: false,
});

const underMaintenance = ({ vps }: CustomerFacts, now: Date): CustomerSentence => ({
  mark: 'maintenance',
  label: 'Maintenance',
  now:
    vps.maintenanceUntil === null
      ? 'Under maintenance.'
      : `Under maintenance until ${timeInWords(vps.maintenanceUntil.getTime(), now.getTime())}.`,
  next: isKnown(vps, now)
    ? 'We keep looking, but restart nothing meanwhile.'
    : `${notCheckedSince(vps.lastCheckAt, now)}; nothing is restarted meanwhile.`,
  trouble: false,
});

function notChecked(facts: CustomerFacts, now: Date): CustomerSentence {
  const { vps, monitor } = facts;
  const base = { mark: 'unchecked', label: 'Not checked yet', trouble: false } as const;
  if (isOurFault(vps.lastErrorCode))
    return { ...base, now: 'We could not check your server yet.', next: 'That is our fault; our team knows.' };
  return monitor.role === 'off'
    ? { ...base, now: 'Not checked yet.', next: 'Our checks are switched off at the moment.' }
    : { ...base, now: 'Not checked yet.', next: `The first check comes ${untilNextCheck(facts, now)}.` };
}

function whyUnknown(facts: CustomerFacts, now: Date): { readonly now: string; readonly next: string } | null {
  const { vps, monitor } = facts;
  const isOurs = isOurFault(vps.lastErrorCode);
  const known = 'Our team knows.';
  if (isKnown(vps, now)) {
    if (monitor.outage)
      return { now: 'Our own checks do not get through, so we cannot tell how your server is.', next: known };
    return isOurs ? { now: 'We could not check your server; that is our fault.', next: known } : null;
  }
  const since = notCheckedSince(vps.lastCheckAt, now);
  if (monitor.outage) return { now: `${since}: our own checks do not get through.`, next: known };
  if (isOurs) return { now: `${since}; that is our fault.`, next: known };
  return monitor.role === 'off'
    ? { now: `${since}: our checks are switched off at the moment.`, next: '' }
    : { now: `${since}: our checks are late.`, next: `We look again ${untilNextCheck(facts, now)}.` };
}

const notCheckedSince = (at: Date | null, now: Date): string =>
  at === null ? 'Not checked yet' : `Not checked since ${timeInWords(at.getTime(), now.getTime())}`;

const lastSeen = (at: Date | null, now: Date): string =>
  at === null ? '' : `It was last seen running ${shortDuration(now.getTime() - at.getTime())} ago.`;

function running(facts: CustomerFacts, now: Date): CustomerSentence {
  const { vps, restartedAt } = facts;
  const base = { mark: 'healthy', label: 'Running', trouble: false } as const;
  const checked = vps.lastCheckAt === null ? '' : ago('Checked', vps.lastCheckAt, now);
  // Between two states for the first time: looked at again before anything is done.
  if (vps.lastErrorCode !== null)
    return {
      ...base,
      now: 'Your service is just starting or stopping.',
      next: `We look again ${untilNextCheck(facts, now)}.`,
    };
  if (restartedAt !== null && now.getTime() - restartedAt.getTime() < RESTART_NEWS_MS)
    return {
      ...base,
      now: `We restarted it at ${timeInWords(restartedAt.getTime(), now.getTime())} and it is running.`,
      next: checked,
    };
  return { ...base, now: 'Running.', next: checked };
}

const MARKS: Readonly<Record<Trouble, Condition>> = {
  not_running: 'unhealthy',
  no_answer: 'down',
  no_check: 'unchecked',
  our_fault: 'unchecked',
};

function inTrouble(facts: CustomerFacts, cause: Cause, now: Date): CustomerSentence {
  const { trouble } = traitsOf(cause);
  const { label } = TROUBLE_WORDS[trouble];
  const said = isBeyondRestart(cause)
    ? beyondRestart(facts, cause, now)
    : cause === 'service_starting'
      ? starting(facts, now)
      : facts.vps.status === 'circuit_open'
        ? givenUp(facts, now)
        : stopped(facts, now);
  return { mark: MARKS[trouble], label, ...said, trouble: true };
}

type Said = Pick<CustomerSentence, 'now' | 'next'>;

const YOURS = 'your server';
const teamOf = ({ incident }: CustomerFacts): string =>
  incident?.acknowledgedAt ? 'our team is on it' : 'our team knows';

/** What a restart cannot mend: the same words as in a message about it. */
function beyondRestart(facts: CustomerFacts, cause: Cause, now: Date): Said {
  const { vps, incident } = facts;
  const { trouble, adminKind } = traitsOf(cause);
  const words = TROUBLE_WORDS[trouble];
  const isSoSince = incident !== null && traitsOf(incident.cause).trouble === trouble;
  const what = isSoSince
    ? words.since(YOURS, timeInWords(incident.openedAt.getTime(), now.getTime()))
    : words.now(YOURS);
  const tryAgain = `try again ${untilNextCheck(facts, now)}.`;
  if (vps.status === 'circuit_open') return { now: `${what};`, next: `${teamOf(facts)}, and we ${tryAgain}` };
  return { now: `${what}.`, next: adminKind === null ? `We ${tryAgain}` : `Our team has to look; we ${tryAgain}` };
}

const NOT_RUNNING = TROUBLE_WORDS.not_running.now(YOURS);

function starting({ vps: { startingUntil: until } }: CustomerFacts, now: Date): Said {
  const given = until === null ? 'a while' : `until ${timeInWords(until.getTime(), now.getTime())}`;
  return { now: `${NOT_RUNNING} yet: it is starting.`, next: `We give it ${given}.` };
}

/** Restarts of the incident that have ended. */
const endedRestarts = ({ incident, isRestarting }: CustomerFacts): number =>
  Math.max(0, (incident?.restarts ?? 0) - (isRestarting ? 1 : 0));

function stopped(facts: CustomerFacts, now: Date): Said {
  const { monitor } = facts;
  const restarts = endedRestarts(facts);
  if (facts.isRestarting)
    return { now: `${restarts === 0 ? NOT_RUNNING : didNotHelp(restarts)}.`, next: 'We are restarting it now.' };
  if (monitor.healing !== 'on') return { now: `${NOT_RUNNING}.`, next: 'Restarts wait for our team, which knows.' };
  return restarts === 0
    ? { now: `${NOT_RUNNING}.`, next: `We restart it ${untilNextCheck(facts, now)}.` }
    : { now: `${didNotHelp(restarts)}.`, next: `We try again ${untilNextCheck(facts, now)}.` };
}

function givenUp(facts: CustomerFacts, now: Date): Said {
  const { vps, monitor } = facts;
  const restarts = endedRestarts(facts);
  const what =
    vps.circuitReason === 'crash_loop'
      ? 'Your service keeps stopping after restarts'
      : restarts > 0
        ? didNotHelp(restarts)
        : NOT_RUNNING;
  if (facts.isRestarting) return { now: `${what};`, next: `${teamOf(facts)}, and we are restarting it now.` };
  const next =
    monitor.healing !== 'on'
      ? 'restarts wait for it'
      : vps.halfOpenAt === null
        ? `next automatic try ${untilNextCheck(facts, now)}`
        : `next automatic try in ${shortDuration(vps.halfOpenAt.getTime() - now.getTime())}`;
  return { now: `${what};`, next: `${teamOf(facts)}, ${next}.` };
}

const NUMBERS = ['No', 'One', 'Two', 'Three', 'Four', 'Five', 'Six', 'Seven', 'Eight', 'Nine', 'Ten'];
const didNotHelp = (restarts: number): string =>
  `${NUMBERS[restarts] ?? restarts} ${restarts === 1 ? 'restart' : 'restarts'} did not help`;

const ago = (what: string, at: Date, now: Date): string =>
  `${what} ${shortDuration(now.getTime() - at.getTime())} ago.`;

function untilNextCheck({ vps, monitor: { role, nextSweepAt } }: CustomerFacts, now: Date): string {
  if (role === 'off') return 'when our checks are switched on again';
  if (nextSweepAt === null) return 'with the next check';
  // After refused logins, checks wait longer.
  const ms = Math.max(nextSweepAt.getTime(), vps.authRetryAt?.getTime() ?? 0) - now.getTime();
  return ms < 1_000 ? 'any moment' : `in ${shortDuration(ms)}`;
}

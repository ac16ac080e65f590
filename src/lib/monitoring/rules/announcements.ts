import type { IncidentState } from './incident.ts';
import { isUpAfter, type HealthEvent, type HealthState } from './transition.ts';
import { traitsOf, type Cause } from '../../facts/cause.ts';
import { isAhead } from '../../facts/clock-jump.ts';
import type { Announcement, NotificationKind } from '../../facts/message.ts';

/** What the customer has been told, and when. */
export type Told = Pick<HealthState, 'lastNotifiedDownAt' | 'lastNotifiedUpAt' | 'lastNotifiedRecoveredAt'>;

export type CheckOutcome = {
  readonly at: Date;
  readonly before: HealthState;
  readonly next: HealthState;
  readonly events: readonly HealthEvent[];
  /** As it is after the check; with `endedAt` when it has just ended; null when there is none. */
  readonly incident: (IncidentState & Pick<AcknowledgedIncident, 'acknowledgedAt'>) | null;
  readonly maintenance: boolean;
  /** A restart is about to be sent: what the customer is told depends on how it ends. */
  readonly restartFollows: boolean;
};
type AcknowledgedIncident = { readonly acknowledgedAt: Date | null };

const HOUR_MS = 60 * 60_000;
const DAY_MS = 24 * HOUR_MS;

/** Whether the error of a check is another one than that of the check before, or was not told of: under maintenance. */
export const isNewError = ({ before, next, events, incident }: CheckOutcome): boolean =>
  before.lastErrorCode !== next.lastErrorCode ||
  incident?.failedChecks === 1 ||
  events.some(({ kind }) => kind === 'maintenance_ended');

/** One refused login is no news: a host that boots refuses everybody but root for a while. From the second in a row on it is. */
const isNewRefusal = (outcome: CheckOutcome): boolean =>
  outcome.next.authFailures >= 2 && (outcome.before.authFailures < 2 || isNewError(outcome));

const adminKind = (cause: Cause | null): NotificationKind | null => cause && traitsOf(cause).adminKind;

/** Whether the customer was told of an outage whose end has not been told. Not the last check decides, but the last mail. */
export const isDownTold = ({ lastNotifiedDownAt, lastNotifiedUpAt }: Told): boolean =>
  lastNotifiedDownAt !== null && (lastNotifiedUpAt === null || lastNotifiedDownAt > lastNotifiedUpAt);

/** What a check makes us tell, and what is then told. `downAfter`: failed checks of an incident before the customer hears of it. */
export function announce(
  outcome: CheckOutcome,
  downAfter: number,
): { readonly told: Told; readonly announcements: readonly Announcement[] } {
  const { lastNotifiedDownAt, lastNotifiedUpAt, lastNotifiedRecoveredAt } = outcome.next;
  const before: Told = { lastNotifiedDownAt, lastNotifiedUpAt, lastNotifiedRecoveredAt };
  const customer = tellCustomer(outcome, before, downAfter);
  const announcements = [
    ...(customer === null ? [] : [customer.announcement]),
    ...(outcome.maintenance ? [] : tellAdmins(outcome)),
  ];
  return { told: customer?.told ?? before, announcements };
}

function tellCustomer(
  { at, before, next, events, incident, maintenance, restartFollows }: CheckOutcome,
  told: Told,
  downAfter: number,
): { readonly told: Told; readonly announcement: Announcement } | null {
  const say = (kind: NotificationKind, now: Partial<Told>, occurrence = '') => ({
    told: { ...told, ...now },
    announcement: { kind, audience: 'customer', occurrence } as const,
  });
  const isUp = next.status === 'healthy' && isUpAfter(events);
  // The end of what was told is told always, also under maintenance.
  if (isUp && isDownTold(told))
    // Without an incident (it ended with a cancelled subscription, say) the outage itself tells two of them apart.
    return say(
      'up',
      { lastNotifiedUpAt: laterThan(told.lastNotifiedDownAt, at) },
      incident === null ? `${told.lastNotifiedDownAt?.getTime()}` : '',
    );
  if (maintenance || restartFollows) return null;
  if (events.some(({ kind }) => kind === 'restarted')) {
    const last = told.lastNotifiedRecoveredAt;
    if (last !== null && !isAhead(last, at) && at.getTime() - last.getTime() < HOUR_MS) return null;
    return say('recovered', { lastNotifiedRecoveredAt: at }, `${at.getTime()}`);
  }
  if (isUp || incident === null || incident.failedChecks < downAfter || isDownTold(told)) return null;
  if (!events.some(({ kind }) => kind === 'check_failed' || kind === 'restart_failed')) return null;
  if (!isForCustomer(next.lastErrorCode)) return null;
  // One check of another kind, after many that only admins can see to, is the first of its kind.
  if (downAfter > 1 && !isForCustomer(before.lastErrorCode)) return null;
  return say('down', { lastNotifiedDownAt: laterThan(told.lastNotifiedUpAt, at) });
}

const isForCustomer = (cause: Cause | null): boolean => cause !== null && traitsOf(cause).tellsCustomer;

/** A clock set back must not make the later of two mails look like the earlier one. */
const laterThan = (earlier: Date | null, at: Date): Date =>
  earlier !== null && at <= earlier ? new Date(earlier.getTime() + 1) : at;

/** A circuit that an admin has reset may open once more in the same incident: that is news. */
const sinceReset = ({ circuitResetAt }: HealthState, incident: CheckOutcome['incident']): string =>
  circuitResetAt !== null && incident !== null && circuitResetAt > incident.openedAt
    ? `reset-${circuitResetAt.getTime()}`
    : '';

function tellAdmins(outcome: CheckOutcome): Announcement[] {
  const { at, next, events, incident } = outcome;
  const say = (kind: NotificationKind, occurrence = ''): Announcement => ({ kind, audience: 'admin', occurrence });
  const told: Announcement[] = [];
  for (const event of events)
    switch (event.kind) {
      case 'circuit_opened':
        told.push(say(event.reason === 'crash_loop' ? 'crash_loop' : 'circuit_opened', sinceReset(next, incident)));
        break;
      case 'circuit_closed':
        told.push(say('circuit_closed'));
        break;
      case 'check_failed':
      case 'inconclusive':
      case 'restart_failed': {
        // A restart that sudo refused shows in the state: the look itself had found a service that is not active.
        const cause = 'cause' in event && adminKind(event.cause) !== null ? event.cause : next.lastErrorCode;
        const kind = adminKind(cause);
        const isNews = cause === 'auth_rejected' ? isNewRefusal(outcome) : isNewError(outcome);
        // A fault of ours belongs to no incident, so nothing else keeps it from being told twice.
        if (kind && isNews) told.push(say(kind, incident ? '' : `${at.getTime()}`));
        break;
      }
      case 'rights_lost':
        told.push(say('access_rejected', `${at.getTime()}`));
        break;
      // The journal has these; no admin is told.
      case 'healthy':
      case 'recovered':
      case 'restarted':
      case 'restarted_on_request':
      case 'restart_withheld':
      case 'trial_failed':
      case 'grace_given':
      case 'starting':
      case 'maintenance_noted':
      case 'maintenance_began':
      case 'maintenance_ended':
        break;
    }
  if (next.circuitState !== 'closed' && incident?.circuitOpenedAt && incident.acknowledgedAt === null) {
    const days = Math.floor((at.getTime() - incident.circuitOpenedAt.getTime()) / DAY_MS);
    if (days >= 1) told.push(say('circuit_reminder', `day-${days}`));
  }
  return told;
}

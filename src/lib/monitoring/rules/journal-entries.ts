import { isNewError, type CheckOutcome } from './announcements.ts';
import type { HealthEvent } from './transition.ts';
import { traitsOf } from '../../facts/cause.ts';
import { LOOK_KINDS, type JournalDetail, type JournalKind } from '../../facts/journal.ts';

type Entry = { readonly kind: JournalKind; readonly detail: JournalDetail };

/** What was seen when the check began, before anything was done about it. */
export const isOfLook = (kind: JournalKind): boolean => LOOK_KINDS.some((one) => one === kind);

/** What the journal keeps of a check, in order. Of a streak of equal failures only the first. */
export const entriesOf = (outcome: CheckOutcome): Entry[] =>
  outcome.events.flatMap((event) => entryOf(event, outcome) ?? []);

function entryOf(event: HealthEvent, outcome: CheckOutcome): Entry | null {
  const { incident } = outcome;
  switch (event.kind) {
    case 'check_failed': {
      if (!isNewError(outcome)) return null;
      const { cause, message, stopped } = event;
      return { kind: traitsOf(cause).journal, detail: { cause, message, ...(stopped && { stopped }) } };
    }
    case 'inconclusive': {
      // What concerns the whole sweep is told once, by whoever judges the sweep.
      const kind = traitsOf(event.cause).journal;
      if (kind === 'check_failed' || !isNewError(outcome)) return null;
      return { kind, detail: { cause: event.cause, message: event.message } };
    }
    case 'restarted':
    case 'restarted_on_request':
      return { kind: 'restart_succeeded', detail: {} };
    case 'restart_failed':
      return { kind: event.known ? 'restart_failed' : 'restart_unknown', detail: { message: event.message } };
    case 'circuit_opened':
      return { kind: 'circuit_opened', detail: { reason: event.reason, failures: event.failures } };
    case 'trial_failed':
    case 'circuit_closed':
    case 'maintenance_began':
    case 'maintenance_ended':
      return { kind: event.kind, detail: {} };
    case 'rights_lost':
      return { kind: 'rights_lost', detail: { message: event.message } };
    case 'recovered':
      return {
        kind: 'recovered',
        detail: incident?.endedAt
          ? { afterMs: incident.endedAt.getTime() - incident.openedAt.getTime(), by: incident.endedBy }
          : {},
      };
    // The error of the failed check says so too.
    case 'restart_withheld':
    case 'healthy':
    case 'grace_given':
    case 'starting':
    case 'maintenance_noted':
      return null;
  }
}

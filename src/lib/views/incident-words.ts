import type { Incident } from '../db/schema.ts';
import type { JournalDetail, JournalKind } from '../facts/journal.ts';
import { durationInWords } from '../facts/time-words.ts';
import type { IncidentRow } from './incident-read.ts';
import { parseCause, traitsOf } from '../facts/cause.ts';
import { TROUBLE_WORDS } from '../facts/trouble-words.ts';

type Ending = Pick<Incident, 'openedAt' | 'endedAt' | 'endedBy'>;

/** How long it went on: until its end, or until now. */
export const lastedMs = ({ openedAt, endedAt }: Ending, now: Date): number =>
  Math.max(0, (endedAt ?? now).getTime() - openedAt.getTime());

/** `Open for 12 min`, `A restart ended it after 40 s`; for admins. */
export function endInWords(incident: Ending, now: Date): string {
  const duration = durationInWords(lastedMs(incident, now));
  switch (incident.endedBy) {
    case 'restart':
      return `A restart ended it after ${duration}`;
    case 'by_itself':
      return `Recovered by itself after ${duration}`;
    case 'not_watched':
      return `No longer watched after ${duration}`;
    case null:
      return `Open for ${duration}`;
  }
}

const first = (text: string): string => text.slice(0, 1).toUpperCase() + text.slice(1);

/** An incident in a sentence or two for the person who rents the server. */
export function plainIncident(incident: Ending & Pick<IncidentRow, 'cause' | 'acknowledgedAt'>, now: Date): string {
  const { past, ended } = TROUBLE_WORDS[traitsOf(incident.cause).trouble];
  const what = `${first(past)}.`;
  const duration = durationInWords(lastedMs(incident, now));
  switch (incident.endedBy) {
    case 'restart':
      return `${what} We restarted it, and it was running again after ${duration}.`;
    case 'by_itself':
      return `${what} ${ended(duration)}.`;
    case 'not_watched':
      return `${what} Our checks ended while it was so.`;
    case null:
      return `${what} This has been so for ${duration}${incident.acknowledgedAt === null ? '; we keep trying' : '; our team is on it'}.`;
  }
}

/** An event of the journal for a customer; null for what is of no use to one. */
export function plainEvent(kind: JournalKind, detail: JournalDetail): string | null {
  switch (kind) {
    case 'check_failed':
    case 'host_key_changed':
    case 'auth_rejected':
    case 'configuration_fault': {
      const { trouble } = traitsOf(parseCause(String(detail.cause)));
      return `A check failed: ${TROUBLE_WORDS[trouble].past}`;
    }
    case 'restart_intended':
      return 'We sent a restart';
    case 'restart_succeeded':
      return 'The restart worked';
    case 'restart_failed':
      return 'The restart did not help';
    case 'restart_unknown':
      return 'We do not know what became of the restart';
    case 'circuit_opened':
      return 'We stopped trying for a while and told our team';
    case 'trial_began':
      return 'We tried a restart once more';
    case 'trial_failed':
      return 'That did not help; we wait again';
    case 'recovered':
      return typeof detail.afterMs === 'number' && detail.afterMs >= 1_000
        ? `Running again, after ${durationInWords(detail.afterMs)}`
        : 'Running again';
    case 'systemd_restarted':
      return 'The service was restarted by its own system';
    case 'maintenance_began':
      return 'Maintenance began';
    case 'maintenance_ended':
      return 'Maintenance ended';
    case 'admin_action':
      return detail.action === 'incident_acknowledged' ? 'Our team is on it' : null;
    case 'circuit_closed':
    case 'rights_lost':
    case 'monitor_fault_began':
    case 'monitor_fault_ended':
      return null;
  }
}

type Event = { readonly at: Date; readonly kind: JournalKind; readonly detail: JournalDetail };

/**
 * The events of an incident for a customer. The intent of a restart is written down before the check that called for it:
 * here the check comes first, as it was.
 */
export function plainTimeline(events: readonly Event[]): { readonly at: Date; readonly words: string }[] {
  const ordered: Event[] = [];
  for (const event of events) {
    const before = ordered.at(-1);
    const isCauseOfBefore =
      event.kind === 'check_failed' && (before?.kind === 'restart_intended' || before?.kind === 'trial_began');
    if (before && isCauseOfBefore) ordered.splice(-1, 0, { ...event, at: before.at });
    else ordered.push(event);
  }
  return ordered.flatMap(({ at, kind, detail }) => {
    const words = plainEvent(kind, detail);
    return words === null ? [] : [{ at, words }];
  });
}

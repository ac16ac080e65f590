import type { App } from '../app.ts';
import type { Actor } from '../auth/actor.ts';
import { madeUpUntil } from './made-up.ts';
import { readIncident, type EvidenceRow, type IncidentRow } from './incident-read.ts';
import { linesOf, namesOf, type JournalLine } from './journal-read.ts';
import { readPlainIncident, type PlainIncident } from './vps-page-read.ts';

/** What a customer sees of an incident of the own VPS: plain words, and no evidence. */
type CustomerIncident = { readonly kind: 'customer'; readonly vpsId: string; readonly incident: PlainIncident };

type AdminIncident = {
  readonly kind: 'admin';
  readonly incident: IncidentRow;
  /** Null where nobody has acknowledged it. */
  readonly acknowledgedBy: string | null;
  readonly timeline: readonly JournalLine[];
  readonly restarts: readonly EvidenceRow[];
};

export type IncidentView = (CustomerIncident | AdminIncident) & { readonly madeUpUntil: Date | null };

/** The page of one incident for whoever asks. Undefined: none that this actor may see. */
export function readIncidentPage(app: App, actor: Actor, id: string, now: Date): IncidentView | undefined {
  const demo = { madeUpUntil: madeUpUntil(app) };
  const found = readIncident(app, actor, id);
  if (!found) return undefined;
  const { incident, events, restarts } = found;
  if (actor.role === 'customer') {
    const plain = readPlainIncident(app, actor, id, now);
    return plain && { kind: 'customer', vpsId: incident.vpsId, incident: plain, ...demo };
  }
  const { acknowledgedBy } = incident;
  return {
    kind: 'admin',
    incident,
    acknowledgedBy: acknowledgedBy === null ? null : namesOf(app, [acknowledgedBy])(acknowledgedBy),
    timeline: linesOf(app, events),
    restarts,
    ...demo,
  };
}

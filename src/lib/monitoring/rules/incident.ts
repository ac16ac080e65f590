import type { Incident } from '../../db/schema.ts';
import type { Cause } from '../../facts/cause.ts';
import type { HealthEvent } from './transition.ts';

/** An incident as far as checks move it. */
export type IncidentState = Pick<
  Incident,
  'openedAt' | 'endedAt' | 'endedBy' | 'cause' | 'firstError' | 'failedChecks' | 'circuitOpenedAt'
>;

/** A failure as an incident remembers it: what was found first. */
export const beginIncident = (
  openedAt: Date,
  { cause, message }: { readonly cause: Cause; readonly message: string },
): IncidentState => ({
  openedAt,
  endedAt: null,
  endedBy: null,
  cause,
  firstError: message,
  failedChecks: 0,
  circuitOpenedAt: null,
});

/**
 * The incident after a check: it spans from the first failed check to recovery. `open` is the one that the VPS has, if
 * any. Null: there is none. A check that fails and heals is an incident of its own, a short one.
 */
export function advanceIncident(
  open: IncidentState | null,
  events: readonly HealthEvent[],
  { lookedAt, at, healthy }: { readonly lookedAt: Date; readonly at: Date; readonly healthy: boolean },
): IncidentState | null {
  const failure = events.find((event) => event.kind === 'check_failed');
  const before = open ?? (failure ? beginIncident(lookedAt, failure) : null);
  if (before === null) return null;
  const tripped = events.some((event) => event.kind === 'circuit_opened');
  const incident: IncidentState = {
    ...before,
    failedChecks: before.failedChecks + (failure ? 1 : 0),
    circuitOpenedAt: before.circuitOpenedAt ?? (tripped ? at : null),
  };
  if (!healthy) return incident;
  const endedBy = events.some(({ kind }) => kind === 'restarted' || kind === 'restarted_on_request')
    ? 'restart'
    : 'by_itself';
  return { ...incident, endedAt: at, endedBy };
}

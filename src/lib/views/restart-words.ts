import type { RestartRow } from './fleet-read.ts';

const OUTCOMES = { succeeded: 'Worked', failed: 'Failed', not_sent: 'Not sent', unknown: 'Unknown' };
// A restart takes seconds; one without an end after minutes was cut off with the app.
const LOST_AFTER_MS = 15 * 60_000;

/** What became of a restart, as far as the ledger knows. */
export function outcomeInWords({ outcome, intendedAt }: Pick<RestartRow, 'outcome' | 'intendedAt'>, now: Date): string {
  if (outcome !== null) return OUTCOMES[outcome];
  return now.getTime() - intendedAt.getTime() > LOST_AFTER_MS ? 'Never recorded' : 'Under way';
}

import type { FleetRow } from './fleet-read.ts';
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

/** `12 s`, `4 min`, `3 h`, `5 days`: one unit, rounded down. */
export function shortDuration(durationMs: number): string {
  const seconds = Math.max(0, Math.floor(durationMs / 1000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 48 * 3600) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86_400)} days`;
}

export const relativeTime = (at: Date, now: Date): string => `${shortDuration(now.getTime() - at.getTime())} ago`;

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

/** The last error with what is done about it; empty where all is well. */
export function whatWeSaw(row: Pick<FleetRow, 'lastError' | 'authRetryAt' | 'maintenanceSince'>, now: Date): string {
  const wait =
    row.authRetryAt !== null && row.authRetryAt > now
      ? `next login in ${shortDuration(row.authRetryAt.getTime() - now.getTime())}`
      : '';
  return [row.lastError, wait].filter(Boolean).join(' · ');
}

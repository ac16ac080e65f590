import type { Recorded } from '../health-store.ts';
import { restartFollows } from './healing.ts';
import type { HealthEvent, HealthState } from './transition.ts';

export const attemptingRestart = (userId: string, state: HealthState, trial: boolean): string =>
  `${userId}: unhealthy (consecutive: ${state.consecutiveFailures + 1}, attempting ${trial ? 'the one trial restart of this half-open circuit' : 'restart'})`;

/** What a check has brought about, a line each; nothing where nothing is worth a line. */
export const describeRecorded = ({ userId, next, events, healing }: Recorded): string[] =>
  events.flatMap((event) => {
    // A look that leads to a restart has been told by the line of the attempt.
    const text = event.kind === 'check_failed' && restartFollows(healing) ? null : describeEvent(event, next);
    return text === null ? [] : [`${userId}: ${text}`];
  });

const statusOf = ({ status }: HealthState): string => (status === 'circuit_open' ? 'circuit open' : status);

function describeEvent(event: HealthEvent, next: HealthState): string | null {
  switch (event.kind) {
    case 'healthy':
      return `healthy (check #${next.totalChecks})`;
    case 'check_failed':
      return `${statusOf(next)} (consecutive: ${next.consecutiveFailures}): ${event.message}`;
    case 'restarted':
      return 'restart successful, marking healthy';
    case 'restarted_on_request':
      return 'restarted as an admin has asked';
    case 'restart_failed':
      return `${statusOf(next)} (consecutive: ${next.consecutiveFailures}): ${event.message}`;
    case 'rights_lost':
      return event.message;
    case 'restart_withheld':
      // Told by the line of the failed check: the reason is part of its error.
      return null;
    case 'recovered':
      return `recovered (recovery #${next.totalRecoveries})`;
    case 'circuit_opened':
      return event.reason === 'crash_loop'
        ? 'circuit breaker TRIPPED (crash loop: restarts work, but the service keeps dying)'
        : `circuit breaker TRIPPED (${event.failures} consecutive failures)`;
    case 'trial_failed':
      return 'trial restart failed, circuit open again for one more cooldown';
    case 'circuit_closed':
      return 'circuit closed';
    case 'grace_given':
      return `one sweep of grace: ${event.message}`;
    case 'starting':
      return `${statusOf(next)} (consecutive: ${next.consecutiveFailures}, waiting for its start): ${event.message}`;
    case 'maintenance_noted':
      return `under maintenance, not counted: ${event.message}`;
    case 'maintenance_began':
      return 'under maintenance from here on';
    case 'maintenance_ended':
      return 'maintenance has ended';
    case 'inconclusive':
      return `not checked (fault of the monitor, ${event.cause}): ${event.message}`;
  }
}

import type { MonitorState } from '../db/schema.ts';
import type { BreakerSettings } from '../monitoring/circuit-breaker.ts';
import type { FleetRow } from './fleet-read.ts';
import { shortDuration } from '../facts/time-words.ts';

/** What the circuit does at the next event of a kind. */
export type CircuitStep = { readonly event: string; readonly then: string };

type Facts = Pick<FleetRow, 'circuitState' | 'consecutiveFailures' | 'halfOpenAt'>;
type Rules = { readonly breaker: BreakerSettings; readonly healing: MonitorState['healing'] };

const RUNNING = 'A check finds the service running';
const STOPPED = 'A check finds it stopped';
const NO_SSH = 'A check gets no answer over SSH';

/** What each event that may come next would do to the circuit. */
export function circuitSteps(facts: Facts, now: Date, { breaker, healing }: Rules): CircuitStep[] {
  const { circuitState, consecutiveFailures, halfOpenAt } = facts;
  const cooldown = shortDuration(breaker.cooldownMs);
  const isOn = healing === 'on';
  const noRestart = isOn ? null : `No restart: healing is ${healing}. Nothing is counted.`;
  const trial = isOn
    ? 'one trial restart, if a check finds it stopped'
    : `no trial restart while healing is ${healing}`;
  switch (circuitState) {
    case 'closed': {
      const failures = consecutiveFailures + 1;
      const counted = `failure ${failures} of ${breaker.maxConsecutiveFailures}${failures >= breaker.maxConsecutiveFailures ? ': the circuit opens' : ''}`;
      return [
        {
          event: RUNNING,
          then: consecutiveFailures === 0 ? 'Stays closed.' : 'Stays closed, and counting begins anew.',
        },
        {
          event: STOPPED,
          then: noRestart ?? `One restart. If it works, the circuit stays closed; if not, ${counted}.`,
        },
        { event: NO_SSH, then: `No restart is possible; ${counted}.` },
      ];
    }
    case 'open': {
      const wait = halfOpenAt === null ? '' : `In ${shortDuration(halfOpenAt.getTime() - now.getTime())}`;
      return [
        { event: RUNNING, then: 'Closes at once.' },
        { event: 'A check fails, for whatever reason', then: 'Stays open; no restart is sent.' },
        ...(wait ? [{ event: wait, then: `Half-open: ${trial}.` }] : []),
      ];
    }
    case 'half_open':
      return [
        { event: RUNNING, then: 'Closes at once.' },
        {
          event: STOPPED,
          then:
            noRestart ?? `One trial restart. If it works, the circuit closes; if not, it opens for ${cooldown} more.`,
        },
        { event: NO_SSH, then: 'Stays half-open: the trial waits until SSH works.' },
      ];
  }
}

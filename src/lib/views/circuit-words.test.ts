import { describe, expect, it } from 'vitest';
import { circuitSteps } from './circuit-words.ts';

const NOW = new Date('2026-11-24T12:00:00Z');
const breaker = { maxConsecutiveFailures: 3, cooldownMs: 30 * 60_000 };
const steps = (facts: Partial<Parameters<typeof circuitSteps>[0]>, healing: 'on' | 'off' | 'paused' = 'on'): string[] =>
  circuitSteps({ circuitState: 'closed', consecutiveFailures: 0, halfOpenAt: null, ...facts }, NOW, {
    breaker,
    healing,
  }).map(({ then }) => then);

describe('what each next event would do to the circuit', () => {
  it('counts failures while closed, and says which one opens it', () => {
    expect(steps({})).toEqual([
      'Stays closed.',
      'One restart. If it works, the circuit stays closed; if not, failure 1 of 3.',
      'No restart is possible; failure 1 of 3.',
    ]);
    expect(steps({ consecutiveFailures: 2 })).toEqual([
      'Stays closed, and counting begins anew.',
      'One restart. If it works, the circuit stays closed; if not, failure 3 of 3: the circuit opens.',
      'No restart is possible; failure 3 of 3: the circuit opens.',
    ]);
  });

  it('waits while open, and says how long', () => {
    const facts = { circuitState: 'open', halfOpenAt: new Date('2026-11-24T12:12:30Z') } as const;
    expect(circuitSteps({ ...facts, consecutiveFailures: 4 }, NOW, { breaker, healing: 'on' })).toEqual([
      { event: 'A check finds the service running', then: 'Closes at once.' },
      { event: 'A check fails, for whatever reason', then: 'Stays open; no restart is sent.' },
      { event: 'In 12 min', then: 'Half-open: one trial restart, if a check finds it stopped.' },
    ]);
  });

  it('has one trial when half-open, which waits for SSH', () => {
    expect(steps({ circuitState: 'half_open' })).toEqual([
      'Closes at once.',
      'One trial restart. If it works, the circuit closes; if not, it opens for 30 min more.',
      'Stays half-open: the trial waits until SSH works.',
    ]);
  });

  it('sends no restart while healing is off or paused', () => {
    expect(steps({}, 'paused')[1]).toBe('No restart: healing is paused. Nothing is counted.');
    expect(steps({ circuitState: 'half_open' }, 'off')[1]).toBe('No restart: healing is off. Nothing is counted.');
    expect(steps({ circuitState: 'open', halfOpenAt: new Date('2026-11-24T12:12:30Z') }, 'off')[2]).toBe(
      'Half-open: no trial restart while healing is off.',
    );
  });
});

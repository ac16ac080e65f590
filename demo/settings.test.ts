import { describe, expect, it } from 'vitest';
import { parseSettings } from '../src/lib/config.ts';
import { DEFAULTS } from '../src/lib/variables.ts';
import { demoEnvironment } from './settings.ts';

describe('the environment of the demo', () => {
  it('is the same whatever has been set for real use, but for the port', () => {
    const real = Object.fromEntries(Object.keys(DEFAULTS).map((name) => [name, 'of real use']));
    expect(demoEnvironment({ ...real, PORT: '3001', PATH: '/bin' })).toEqual({
      ...demoEnvironment({}),
      PORT: '3001',
      ORIGIN: 'http://localhost:3001',
      PATH: '/bin',
    });
  });

  it('shows a trip and its trial within three minutes', () => {
    const { monitorEnabled, breaker, restartBudget } = parseSettings(demoEnvironment({}));
    expect({ monitorEnabled, breaker, restartBudget }).toMatchObject({
      monitorEnabled: true,
      breaker: { maxConsecutiveFailures: 3, cooldownMs: 120_000 },
      restartBudget: { maxRestarts: 5 },
    });
  });
});

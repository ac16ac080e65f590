import { describe, expect, it } from 'vitest';
import { BUS_ENDED, newsCalls, nextLookAtMs } from './news.ts';

describe('news', () => {
  it.for(['inactive', 'failed'])('that a healthy unit is %s calls for a look', (state) => {
    expect(newsCalls(state, 'healthy')).toBe(true);
    for (const status of ['unhealthy', 'down', 'circuit_open'] as const) expect(newsCalls(state, status)).toBe(false);
  });

  it('that a unit is active calls for a look where it is not known to be', () => {
    expect(newsCalls('active', 'healthy')).toBe(false);
    for (const status of ['unhealthy', 'down', 'circuit_open'] as const) expect(newsCalls('active', status)).toBe(true);
  });

  it.for(['activating', 'deactivating', 'reloading', 'maintenance', '', undefined])(
    'of a unit that is on its way (%s) calls for none',
    (state) => {
      for (const status of ['healthy', 'unhealthy'] as const) expect(newsCalls(state, status)).toBe(false);
    },
  );

  it('that its bus has ended calls for a look, whatever is known', () => {
    for (const status of ['healthy', 'unhealthy', 'down', 'circuit_open'] as const)
      expect(newsCalls(BUS_ENDED, status)).toBe(true);
  });

  it('of a VPS that was never looked at calls for none', () => {
    for (const state of ['failed', 'active', BUS_ENDED]) expect(newsCalls(state, null)).toBe(false);
  });
});

describe('looks on news', () => {
  it('are ten seconds apart', () => {
    expect(nextLookAtMs(null, 5)).toBe(5);
    expect(nextLookAtMs(1_000, 1_001)).toBe(11_000);
    expect(nextLookAtMs(1_000, 10_999)).toBe(11_000);
    expect(nextLookAtMs(1_000, 11_000)).toBe(11_000);
    expect(nextLookAtMs(1_000, 60_000)).toBe(60_000);
  });
});

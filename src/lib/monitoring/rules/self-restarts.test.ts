import { describe, expect, it } from 'vitest';
import { judgeSelfRestarts, type SelfRestart } from './self-restarts.ts';

describe('a loop that systemd keeps alive', () => {
  const entry = (restarts: number, isLoop = false): SelfRestart => ({ at: new Date(), restarts, isLoop });

  it('begins with the sixth within half an hour', () => {
    expect(judgeSelfRestarts(5, [])).toEqual({ isLoop: false, isNew: false, counted: 5 });
    expect(judgeSelfRestarts(1, [entry(2), entry(3)])).toEqual({ isLoop: true, isNew: true, counted: 6 });
  });

  it('is told once, and goes on while there are more', () => {
    expect(judgeSelfRestarts(1, [entry(1, true), entry(5)])).toEqual({ isLoop: true, isNew: false, counted: 7 });
    expect(judgeSelfRestarts(1, [entry(1, true)])).toMatchObject({ isLoop: true, isNew: false });
  });

  it('is a new one after half an hour without any', () => {
    expect(judgeSelfRestarts(6, [])).toMatchObject({ isNew: true });
  });
});

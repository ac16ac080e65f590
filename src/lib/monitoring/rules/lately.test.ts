import { describe, expect, it } from 'vitest';
import { Lately } from './lately.ts';

const ON_NEWS = { onNews: true };
const IN_SWEEP = { onNews: false };

describe('what counts into a look on news', () => {
  it('is everything that was seen to stop and was restarted of late, each VPS once, but for what it looks at', () => {
    const lately = new Lately();
    lately.noteStop('a', { atMs: 10, ...ON_NEWS });
    lately.noteStop('a', { atMs: 20, ...ON_NEWS });
    lately.noteStop('b', { atMs: 20, ...IN_SWEEP });
    lately.noteStop('c', { atMs: 30, ...ON_NEWS });
    lately.noteRestart('a', { atMs: 20, ...ON_NEWS });
    lately.noteRestart('b', { atMs: 25, ...IN_SWEEP });
    expect(lately.beforeNews(['c'], 0)).toEqual({ stopped: 2, restarts: 2 });
    expect(lately.beforeNews(['c'], 20)).toEqual({ stopped: 0, restarts: 1 });
    expect(lately.beforeNews([], 30)).toEqual({ stopped: 0, restarts: 0 });
  });
});

describe('what counts into a sweep', () => {
  it('is what was seen and sent on news, of services that are down still', () => {
    const lately = new Lately();
    for (const id of ['a', 'b', 'c']) lately.noteStop(id, { atMs: 10, ...ON_NEWS });
    lately.noteStop('d', { atMs: 10, ...IN_SWEEP });
    lately.noteRestart('a', { atMs: 10, ...ON_NEWS });
    lately.noteRestart('d', { atMs: 10, ...IN_SWEEP });
    expect(lately.beforeSweep((id) => id !== 'a', 0)).toEqual({ stopped: 2, restarts: 1 });
    expect(lately.beforeSweep(() => true, 10)).toEqual({ stopped: 0, restarts: 0 });
  });
});

describe('a VPS', () => {
  it('has had its restart of an interval when news has brought it', () => {
    const lately = new Lately();
    lately.noteRestart('a', { atMs: 10, ...ON_NEWS });
    lately.noteRestart('b', { atMs: 10, ...IN_SWEEP });
    expect(lately.isRestartedOnNews('a', 9)).toBe(true);
    expect(lately.isRestartedOnNews('a', 10)).toBe(false);
    expect(lately.isRestartedOnNews('b', 9)).toBe(false);
    expect(lately.isRestarted('b', 9)).toBe(true);
    expect(lately.isRestarted('c', 9)).toBe(false);
  });
});

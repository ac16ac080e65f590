import { describe, expect, it } from 'vitest';
import { freshnessOf, isKnown, knownUntil, type Freshness, type Watch } from './freshness.ts';

const NOW = new Date('2026-11-25T19:20:00Z');
const VALID_MS = 180_000;
const ago = (ms: number): Date => new Date(NOW.getTime() - ms);
const HOUR_MS = 3_600_000;

const old = ago(3 * HOUR_MS);
const active = (since: Date) => ({ kind: 'active', pid: 7, since }) as const;
const WELL: Watch = {
  sweptAt: ago(20_000),
  validMs: VALID_MS,
  watcher: active(old),
  isSweeping: true,
  trouble: null,
  gone: null,
};
const stale = (why: Extract<Freshness, { kind: 'stale' }>['why'], since: Date | null = old): Freshness => ({
  kind: 'stale',
  since,
  why,
});
const FRESH: Freshness = { kind: 'fresh' };

describe('the fleet is', () => {
  it.each<[string, Partial<Watch>, Freshness]>([
    ['known while sweeps end', {}, FRESH],
    ['known for three intervals', { sweptAt: ago(VALID_MS) }, FRESH],
    [
      'not known a millisecond later',
      { sweptAt: ago(VALID_MS + 1) },
      stale({ kind: 'slow', pid: 7 }, ago(VALID_MS + 1)),
    ],
    ['known while one attempt fails', { trouble: 'locked' }, FRESH],
    ['known although nobody sweeps any more, for as long', { watcher: { kind: 'nobody' } }, FRESH],
    ['known after a clock was set back a little', { sweptAt: ago(-VALID_MS) }, FRESH],
    [
      'not known after it was set back by more',
      { sweptAt: ago(-HOUR_MS) },
      stale({ kind: 'slow', pid: 7 }, ago(-HOUR_MS)),
    ],
    [
      'not known for what keeps sweeps from ending',
      { sweptAt: old, trouble: 'locked' },
      stale({ kind: 'trouble', text: 'locked' }),
    ],
    [
      'not known for that also at a server that has just begun',
      { sweptAt: old, trouble: 'locked', watcher: active(NOW) },
      stale({ kind: 'trouble', text: 'locked' }),
    ],
    ['not known where no server sweeps', { sweptAt: old, watcher: { kind: 'nobody' } }, stale({ kind: 'nobody' })],
    [
      'not known where the one that sweeps is silent',
      { sweptAt: old, watcher: { kind: 'silent', pid: 8 } },
      stale({ kind: 'silent', pid: 8 }),
    ],
    ['not known where its sweeps do not end', { sweptAt: old }, stale({ kind: 'slow', pid: 7 })],
    [
      'about to be known as a server has just begun',
      { sweptAt: old, watcher: active(ago(VALID_MS)) },
      { kind: 'starting', lastAt: old, isSweeping: true },
    ],
    [
      'not about to be any more after as long',
      { sweptAt: old, watcher: active(ago(VALID_MS + 1)) },
      stale({ kind: 'slow', pid: 7 }),
    ],
    [
      'about to be known for the first time',
      { sweptAt: null, watcher: active(NOW) },
      { kind: 'starting', lastAt: null, isSweeping: true },
    ],
    ['not known where it never was', { sweptAt: null, watcher: { kind: 'nobody' } }, stale({ kind: 'nobody' }, null)],
    [
      'not known at once where the database was taken away',
      { gone: 'deleted', trouble: 'x' },
      stale({ kind: 'gone', text: 'deleted' }, ago(20_000)),
    ],
  ])('%s', (_, watch, expected) => {
    expect(freshnessOf({ ...WELL, ...watch }, NOW)).toEqual(expected);
  });
});

it('is known to a page that has lost its server for as long, and then for that reason not', () => {
  expect(freshnessOf(WELL, NOW, true)).toEqual(FRESH);
  expect(freshnessOf({ ...WELL, sweptAt: old, trouble: 'locked' }, NOW, true)).toEqual(stale({ kind: 'cut_off' }));
});

describe('a VPS is', () => {
  it.each<[string, Date | null, Date | null, boolean]>([
    ['not known before its first look', null, null, false],
    ['known for three intervals', ago(VALID_MS), null, true],
    ['not known a millisecond later', ago(VALID_MS + 1), null, false],
    ['known while the next login waits', ago(HOUR_MS), ago(-600_000), true],
    ['known until that next login must have been', ago(HOUR_MS), ago(VALID_MS), true],
    ['not known when that was not', ago(HOUR_MS), ago(VALID_MS + 1), false],
    ['known by a look that waited for a login before', ago(VALID_MS), ago(HOUR_MS), true],
    ['known after a clock was set back a little', ago(-VALID_MS), null, true],
    ['not known after it was set back by more', ago(-VALID_MS - 1), null, false],
  ])('%s', (_, lastCheckAt, authRetryAt, expected) => {
    const until = knownUntil({ lastCheckAt, authRetryAt }, VALID_MS, NOW);
    expect(isKnown({ knownUntil: until }, NOW)).toBe(expected);
  });
});

import { describe, expect, it } from 'vitest';
import type { Freshness } from '../facts/freshness.ts';
import { countFilters } from './fleet-words.ts';
import { fleetHeadline, staleInShort, staleNotice } from './freshness-words.ts';

const NOW = new Date('2026-11-25T19:36:00Z');
const ago = (minutes: number): Date => new Date(NOW.getTime() - minutes * 60_000);
const NONE = countFilters([], NOW);
const COUNTS = { ...NONE, healthy: 4 };
const stale = (why: Extract<Freshness, { kind: 'stale' }>['why'], since: Date | null = ago(22)): Freshness => ({
  kind: 'stale',
  since,
  why,
});
const headline = (fresh: Freshness, counts = COUNTS): string =>
  fleetHeadline(fresh, counts, NOW)
    .map(({ text }) => text)
    .join('')
    .trim();

describe('the headline of the fleet', () => {
  it.each<[string, Freshness]>([
    ['All 4 VPSs are healthy.', { kind: 'fresh' }],
    ['All 4 VPSs are healthy.', { kind: 'starting', lastAt: null, isSweeping: true }],
    [
      'Last checked 3 h ago; the first sweep is about to begin. All 4 VPSs are healthy.',
      { kind: 'starting', lastAt: ago(180), isSweeping: false },
    ],
    [
      'Last checked 3 h ago; the first sweep is under way. All 4 VPSs are healthy.',
      { kind: 'starting', lastAt: ago(180), isSweeping: true },
    ],
    [
      'No sweep since 19:14 UTC: what you see is 22 min old. The database is locked.',
      stale({ kind: 'trouble', text: 'The database is locked' }),
    ],
    [
      'No sweep since 19:36 UTC on 23 November: what you see is 2 days old. No server has the monitor on.',
      stale({ kind: 'nobody' }, ago(2 * 24 * 60)),
    ],
    [
      'No sweep since 19:14 UTC: what you see is 22 min old. The server that sweeps (process 7) does not report any more.',
      stale({ kind: 'silent', pid: 7 }),
    ],
    [
      'No sweep since 19:14 UTC: what you see is 22 min old. The server that sweeps (process 7) has not completed a sweep since.',
      stale({ kind: 'slow', pid: 7 }),
    ],
    [
      'No sweep since 20:36 UTC: what you see is of another clock. No server has the monitor on.',
      stale({ kind: 'nobody' }, ago(-60)),
    ],
    [
      'No sweep since 19:14 UTC: what you see is 22 min old. This page has lost its connection to the server.',
      stale({ kind: 'cut_off' }),
    ],
    ['There has been no sweep yet: nothing is known. No server has the monitor on.', stale({ kind: 'nobody' }, null)],
    ['Nothing is watched: the database was taken away.', stale({ kind: 'gone', text: 'x was deleted.' })],
  ])('%s', (text, fresh) => {
    expect(headline(fresh)).toBe(text);
  });

  it('has nothing to be known of an empty fleet', () => {
    expect(headline(stale({ kind: 'nobody' }), NONE)).toBe('No VPS is watched yet.');
  });
});

describe('below it, and where there is no such headline', () => {
  const trouble = stale({ kind: 'trouble', text: 'x: no room' });

  it('it says what that means and what to do', () => {
    expect(staleNotice(trouble)).toEqual({
      kind: 'problem',
      title: 'A service that stops now is not started again, and nobody hears of it.',
      text: 'Each sweep tries again; the log of the server says more.',
    });
    expect(staleInShort(trouble, NOW)).toMatchObject({
      title: 'No sweep since 19:14 UTC: what you see is 22 min old.',
      text: 'x: no room. Each sweep tries again; the log of the server says more.',
    });
    expect(staleInShort(stale({ kind: 'gone', text: 'x was deleted.' }), NOW)?.text).toBe('x was deleted.');
  });

  it.each<Freshness>([{ kind: 'fresh' }, { kind: 'starting', lastAt: ago(180), isSweeping: true }])(
    'nothing is said of %o',
    (fresh) => {
      expect(staleNotice(fresh)).toBeNull();
      expect(staleInShort(fresh, NOW)).toBeNull();
    },
  );
});

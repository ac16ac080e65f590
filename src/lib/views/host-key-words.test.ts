import { describe, expect, it } from 'vitest';
import { changedKeysInWords, hostKeyInWords } from './host-key-words.ts';

const NOTHING = { says: 'nothing', signed: false } as const;

describe('the host key that a preflight sees', () => {
  it.each([
    ['for the first time', null, NOTHING, 'noted', /^It is pinned: .* compare it with what the machine says/],
    [
      'vouched for without proof',
      null,
      { says: 'same', signed: false },
      'noted',
      /vouches for it \(SSHFP\): without DNSSEC, .*compare it/,
    ],
    ['vouched for with proof', null, { says: 'same', signed: true }, 'passed', /DNSSEC proved it/],
    [
      'that the DNS knows otherwise',
      null,
      { says: 'other', signed: false },
      'failed',
      /another key for it .* old or someone is in between/,
    ],
    ['as pinned', 'A', NOTHING, 'passed', /^$/],
    ['other than pinned', 'B', NOTHING, 'failed', /^It was reinstalled, or someone is in between\./],
    [
      'other than pinned, and vouched for',
      'B',
      { says: 'same', signed: true },
      'failed',
      /^The DNS vouches for it .* It was reinstalled/,
    ],
  ] as const)('%s', (_, pinned, dns, verdict, why) => {
    const outcome = hostKeyInWords({ shown: 'A', pinned, dns });
    expect(outcome.verdict).toBe(verdict);
    expect(outcome.why).toMatch(why);
    expect(outcome.saw).toContain('A');
    if (pinned === 'B') expect(outcome.saw).toBe('It shows A, and not the pinned B.');
  });
});

it('a changed key is told with the one before, and when each was seen', () => {
  const none = {
    hostKeyFingerprint: 'SHA256:a',
    hostKeyAt: null,
    hostKeySeenAt: null,
    offeredHostKeyFingerprint: null,
    offeredHostKeyAt: null,
  };
  expect(changedKeysInWords(none)).toEqual([]);
  const changed = {
    ...none,
    offeredHostKeyFingerprint: 'SHA256:b',
    hostKeyAt: new Date('2026-01-02T03:04:05Z'),
    hostKeySeenAt: new Date('2026-11-26T08:00:00Z'),
    offeredHostKeyAt: new Date('2026-11-26T08:01:00Z'),
  };
  expect(changedKeysInWords(changed)).toEqual([
    'Pinned: SHA256:a (since 2 January 2026, 03:04 UTC, last seen 26 November 2026, 08:00 UTC)',
    'Shown now: SHA256:b (first seen 26 November 2026, 08:01 UTC)',
  ]);
  expect(changedKeysInWords({ ...none, offeredHostKeyFingerprint: 'SHA256:b' })).toEqual([
    'Pinned: SHA256:a',
    'Shown now: SHA256:b',
  ]);
});

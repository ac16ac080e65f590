import { expect, it } from 'vitest';
import { LINK_KINDS, LINK_LIMITS, type LinkLimit } from '../facts/link.ts';
import { linkInWords, linkLimitInWords } from './link-words.ts';

it('has words for each kind of link, and for none', () => {
  expect(new Set([...LINK_KINDS.map((kind) => linkInWords({ kind })), linkInWords(null)]).size).toBe(4);
});

it('says why a link is no better, in what the host said, and what to do about it', () => {
  expect(linkLimitInWords({ limit: 'no_bridge', detail: 'exit code 127' })).toEqual({
    why: 'systemd-stdio-bridge gave no bus to this login: exit code 127',
    todo: expect.stringContaining('dbus'),
  });
  for (const limit of Object.keys(LINK_LIMITS) as LinkLimit[])
    expect(linkLimitInWords({ limit, detail: null })?.why).toBe(LINK_LIMITS[limit].why);
});

it('says nothing of the best link, or of none', () => {
  expect(linkLimitInWords({ limit: null, detail: null })).toBeNull();
  expect(linkLimitInWords(null)).toBeNull();
});

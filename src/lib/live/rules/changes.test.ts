import { describe, expect, it } from 'vitest';
import type { LiveEvent } from '../bus.ts';
import { addChange, encodeEvent, messageForAdmins, MOST_IDS, NO_CHANGES } from './changes.ts';

const gather = (...events: LiveEvent[]) => messageForAdmins(events.reduce(addChange, NO_CHANGES));
const vps = (...vpsIds: string[]): LiveEvent => ({ kind: 'vps', vpsIds });
const many = (count: number): string[] => Array.from({ length: count }, (_, index) => `vps-${index}`);

describe('changes that are gathered into one message', () => {
  it.each([
    ['nothing', [], null],
    ['each VPS once', [vps('a', 'b'), vps('b')], { vps: ['a', 'b'] }],
    ['the monitor beside them', [{ kind: 'monitor' }, vps('a'), { kind: 'monitor' }], { vps: ['a'], monitor: true }],
    ['the monitor alone', [{ kind: 'monitor' }], { vps: [], monitor: true }],
    ['everything, which includes all the rest', [vps('a'), { kind: 'all' }, { kind: 'monitor' }], { all: true }],
    ['what is too long to list as everything', [vps(...many(MOST_IDS)), vps('a'), vps('b')], { all: true }],
  ] as [string, LiveEvent[], unknown][])('say %s', (_, events, data) => {
    expect(gather(...events)).toBe(data === null ? null : encodeEvent('changed', data));
  });

  it('are one event of one line, whatever is in them', () => {
    expect(encodeEvent('changed', { vps: ['a\nevent: end\n\n'] })).toBe(
      'event: changed\ndata: {"vps":["a\\nevent: end\\n\\n"]}\n\n',
    );
  });
});

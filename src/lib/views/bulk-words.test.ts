import { describe, expect, it } from 'vitest';
import { bulkInWords, type BulkResult } from './bulk-words.ts';

describe('what was done to many VPSs', () => {
  it.each([
    [
      { kind: 'done', action: 'check', length: '1h', asked: 3, done: 3 },
      '3 VPSs will be checked now; the rows turn as it is done.',
    ],
    [
      { kind: 'done', action: 'pause', length: '1h', asked: 3, done: 1 },
      'Healing of 1 VPS pauses: what stops there stays stopped until somebody acts. ' +
        '2 VPSs left out: paused already, or no longer in the fleet.',
    ],
    [
      { kind: 'done', action: 'resume', length: '1h', asked: 1, done: 0 },
      'Nothing to do. 1 VPS left out: not paused, or no longer in the fleet.',
    ],
    [
      { kind: 'done', action: 'maintenance', length: '4h', asked: 2, done: 2 },
      'Maintenance of 2 VPSs has begun, for 4 hours.',
    ],
    [{ kind: 'refused', action: 'reset', reason: 'no VPS is chosen' }, 'Reset circuit: not done, no VPS is chosen.'],
  ] as [BulkResult, string][])('%j', (result, words) => {
    expect(bulkInWords(result)).toBe(words);
  });
});

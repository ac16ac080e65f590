import { describe, expect, it } from 'vitest';
import { endInWords, plainEvent, plainIncident, plainTimeline } from './incident-words.ts';

const NOW = new Date('2026-11-24T12:00:00Z');
const openedAt = new Date('2026-11-24T11:48:00Z');
const incident = { openedAt, endedAt: null, endedBy: null, cause: 'service_not_active', acknowledgedAt: null } as const;
const ended = (endedBy: 'restart' | 'by_itself' | 'not_watched') => ({
  ...incident,
  endedAt: new Date('2026-11-24T11:48:40Z'),
  endedBy,
});

describe('an incident in words', () => {
  it.each([
    [incident, 'Open for 12 min', 'The service was not running. This has been so for 12 min; we keep trying.'],
    [
      ended('restart'),
      'A restart ended it after 40 s',
      'The service was not running. We restarted it, and it was running again after 40 s.',
    ],
    [ended('by_itself'), 'Recovered by itself after 40 s', 'The service was not running. It was back after 40 s.'],
    [
      ended('not_watched'),
      'No longer watched after 40 s',
      'The service was not running. Our checks ended while it was so.',
    ],
  ])('%#: %s', (row, forAdmins, forCustomers) => {
    expect(endInWords(row, NOW)).toBe(forAdmins);
    expect(plainIncident(row, NOW)).toBe(forCustomers);
  });

  it('says to a customer that somebody sees to it', () => {
    expect(plainIncident({ ...incident, acknowledgedAt: NOW, cause: 'timeout' }, NOW)).toBe(
      'Your server did not answer. This has been so for 12 min; our team is on it.',
    );
  });

  it('does not say to a customer that what answered was away', () => {
    expect(plainIncident({ ...ended('by_itself'), cause: 'sudo_refused' }, NOW)).toBe(
      'The service could not be checked; our team has to look. We could check it again after 40 s.',
    );
  });
});

describe('an event for a customer', () => {
  it.each([
    ['check_failed', { cause: 'refused', message: 'RAW' }, 'A check failed: your server did not answer'],
    [
      'configuration_fault',
      { cause: 'key_unreadable', message: 'RAW' },
      'A check failed: we could not check it; that was our fault',
    ],
    [
      'host_key_changed',
      { cause: 'host_key_changed', message: 'RAW' },
      'A check failed: the service could not be checked; our team has to look',
    ],
    [
      'check_failed',
      { cause: 'of_another_version', message: 'RAW' },
      'A check failed: the service could not be checked; our team has to look',
    ],
    ['restart_failed', { message: 'RAW' }, 'The restart did not help'],
    ['recovered', { afterMs: 240_000 }, 'Running again, after 4 min'],
    ['recovered', {}, 'Running again'],
    ['admin_action', { action: 'incident_acknowledged' }, 'Our team is on it'],
    ['admin_action', { action: 'host_key_repinned' }, null],
    ['circuit_closed', {}, null],
  ] as const)('%s %j: %s', (kind, detail, words) => {
    expect(plainEvent(kind, detail)).toBe(words);
  });
});

describe('the timeline for a customer', () => {
  it('has the failed check before the restart that it called for, and leaves out what is of no use', () => {
    const at = (second: number): Date => new Date(openedAt.getTime() + second * 1_000);
    expect(
      plainTimeline([
        { at: at(0), kind: 'restart_intended', detail: { restartId: 'restart-1' } },
        { at: at(4), kind: 'check_failed', detail: { cause: 'service_not_active', message: 'RAW' } },
        { at: at(4), kind: 'restart_succeeded', detail: {} },
        { at: at(4), kind: 'circuit_closed', detail: {} },
      ]),
    ).toEqual([
      { at: at(0), words: 'A check failed: the service was not running' },
      { at: at(0), words: 'We sent a restart' },
      { at: at(4), words: 'The restart worked' },
    ]);
  });
});

import { describe, expect, it } from 'vitest';
import { judgeReadiness, type Standing } from './readiness.ts';

const NOW = new Date('2026-11-26T02:00:00Z');
const before = (ms: number): Date => new Date(NOW.getTime() - ms);
const WELL: Standing = {
  databaseWritable: true,
  monitorEnabled: true,
  role: 'sweeping',
  overdueSince: before(60_000),
  patienceMs: 180_000,
};

describe('a server', () => {
  it.each<[string, Partial<Standing>, boolean]>([
    ['leading', {}, true],
    ['standby', { role: 'standby' }, true],
    ['off', { monitorEnabled: false, role: 'off', overdueSince: before(1e9) }, true],
    ['database', { databaseWritable: false }, false],
    ['database', { databaseWritable: false, monitorEnabled: false }, false],
    ['stopped', { role: 'off' }, false],
    ['leading', { overdueSince: before(180_000) }, true],
    ['stale', { overdueSince: before(180_001) }, false],
    ['stale', { role: 'standby', overdueSince: before(180_001) }, false],
    // A sweep that is due in the future, or never, is none that is missing.
    ['leading', { overdueSince: before(-60_000) }, true],
    ['leading', { overdueSince: null }, true],
  ])('is %s with %j', (word, changed, ready) => {
    expect(judgeReadiness({ ...WELL, ...changed }, NOW)).toEqual({ ready, word });
  });
});

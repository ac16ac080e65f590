import { describe, expect, it } from 'vitest';
import type { Watch } from '../../facts/freshness.ts';
import { judgeReadiness, type Standing } from './readiness.ts';

const NOW = new Date('2026-11-26T02:00:00Z');
const before = (ms: number): Date => new Date(NOW.getTime() - ms);
const WATCH: Watch = {
  sweptAt: before(60_000),
  validMs: 180_000,
  watcher: { kind: 'active', pid: 7, since: before(1e9) },
  isSweeping: false,
  trouble: null,
  gone: null,
};
const OLD: Watch = { ...WATCH, sweptAt: before(180_001) };
const WELL: Standing = { watch: WATCH, monitorEnabled: true, role: 'sweeping' };

describe('a server', () => {
  it.each<[string, Partial<Standing>, boolean]>([
    ['leading', {}, true],
    ['standby', { role: 'standby' }, true],
    ['off', { monitorEnabled: false, role: 'off', watch: OLD }, true],
    ['database', { watch: null }, false],
    ['database', { watch: null, monitorEnabled: false }, false],
    ['stopped', { role: 'off' }, false],
    ['leading', { watch: { ...WATCH, sweptAt: before(180_000) } }, true],
    ['stale', { watch: OLD }, false],
    ['stale', { watch: OLD, role: 'standby' }, false],
    ['stale', { watch: { ...WATCH, sweptAt: null } }, false],
    ['stale', { watch: { ...WATCH, gone: 'the file was replaced' } }, false],
    // It has as long for its first sweep.
    ['leading', { watch: { ...OLD, watcher: { kind: 'active', pid: 7, since: before(1_000) } } }, true],
    ['stale', { watch: { ...OLD, watcher: { kind: 'silent', pid: 7 } }, role: 'standby' }, false],
  ])('is %s with %j', (word, changed, ready) => {
    expect(judgeReadiness({ ...WELL, ...changed }, NOW)).toEqual({ ready, word });
  });
});

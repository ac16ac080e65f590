import { describe, expect, it } from 'vitest';
import type { Verdict } from '../verdict-words.ts';
import { CHECK_NAMES, judgeCheck, type Facts } from './checks.ts';

type Case = { [Name in keyof Facts]: readonly [Verdict, Name, Facts[Name]] }[keyof Facts];

const no = (...names: readonly string[]) => names.map((what) => ({ what, why: 'ECONNREFUSED' }));

const CASES: readonly Case[] = [
  ['ok', 'configuration', { problems: [] }],
  ['failure', 'configuration', { problems: ['PORT is "x"; allowed: a number'] }],
  ['ok', 'database', { path: 'w.db', problem: null }],
  ['failure', 'database', { path: 'w.db', problem: 'there is no database at w.db' }],
  ['ok', 'integrity', { report: 'ok', tables: 30, of: 30 }],
  ['not known', 'integrity', { report: 'ok', tables: 29, of: 30 }],
  ['failure', 'integrity', { report: 'row 7 missing from index', tables: 3, of: 30 }],
  ['ok', 'space', { databaseBytes: 1e6, freeBytes: 500e6 }],
  ['warning', 'space', { databaseBytes: 1e6, freeBytes: 499e6 }],
  ['warning', 'space', { databaseBytes: 2e9, freeBytes: 1.9e9 }],
  ['failure', 'space', { databaseBytes: 1e6, freeBytes: 49e6 }],
  ['ok', 'migrations', { pending: 0, unknown: 0 }],
  ['warning', 'migrations', { pending: 1, unknown: 0 }],
  ['failure', 'migrations', { pending: 0, unknown: 1 }],
  ['ok', 'key', { source: 'ENCRYPTION_KEY', problem: null }],
  ['failure', 'key', { source: 'ENCRYPTION_KEY', problem: 'it is not the key of this database' }],
  ['ok', 'clock', { synchronized: true, aheadMs: 60_000 }],
  ['warning', 'clock', { synchronized: false, aheadMs: 0 }],
  ['not known', 'clock', { synchronized: null, aheadMs: 0 }],
  ['failure', 'clock', { synchronized: true, aheadMs: 60_001 }],
  ['ok', 'zone', { zone: 'Europe/Oslo', wanted: null, isKnown: true }],
  ['warning', 'zone', { zone: 'UTC', wanted: 'Europe/Olso', isKnown: false }],
  ['not known', 'names', { found: [], failed: [] }],
  ['ok', 'names', { found: ['a.example'], failed: [] }],
  ['warning', 'names', { found: ['a.example'], failed: no('b.example') }],
  ['failure', 'names', { found: [], failed: no('b.example') }],
  ['not known', 'ssh', { reached: [], failed: [] }],
  ['ok', 'ssh', { reached: ['192.0.2.1:22'], failed: no('192.0.2.2:22') }],
  ['failure', 'ssh', { reached: [], failed: no('192.0.2.2:22') }],
  ['warning', 'mail', { server: null, failure: null }],
  ['ok', 'mail', { server: 'mail.example:587', failure: null }],
  ['failure', 'mail', { server: 'mail.example:587', failure: 'ECONNREFUSED' }],
  ['ok', 'channels', { waiting: 3, troubles: [] }],
  ['warning', 'channels', { waiting: 3, troubles: no('email') }],
  ['ok', 'leases', { monitorEnabled: true, leader: 7, sender: null }],
  ['warning', 'leases', { monitorEnabled: true, leader: null, sender: null }],
  ['ok', 'leases', { monitorEnabled: false, leader: null, sender: null }],
  ['ok', 'descriptors', { limit: 1_024, whose: 'the server', vpss: 512, maxLinks: 12_000 }],
  ['ok', 'descriptors', { limit: Infinity, whose: 'the server', vpss: 1e9, maxLinks: 1e9 }],
  ['ok', 'descriptors', { limit: 1_024, whose: 'the server', vpss: 5_000, maxLinks: 512 }],
  ['warning', 'descriptors', { limit: 1_024, whose: 'the server', vpss: 513, maxLinks: 12_000 }],
  ['warning', 'descriptors', { limit: 1_023, whose: 'the server', vpss: 1, maxLinks: 1 }],
  ['failure', 'descriptors', { limit: 255, whose: 'the server', vpss: 1, maxLinks: 1 }],
  ['ok', 'proxy', { addressHeader: null, published: false, listensInside: true }],
  ['ok', 'proxy', { addressHeader: null, published: true, listensInside: false }],
  ['warning', 'proxy', { addressHeader: null, published: true, listensInside: true }],
  ['ok', 'proxy', { addressHeader: 'x-forwarded-for', published: true, listensInside: true }],
  ['warning', 'proxy', { addressHeader: 'x-forwarded-for', published: true, listensInside: false }],
];

describe('a check', () => {
  it.each(CASES)('is %s: %s of %j', (verdict, name, known) => {
    const finding = judgeCheck(name, { known });
    expect(finding.verdict).toBe(verdict);
    expect(finding.seen).not.toBe('');
    // Who is told that something is wrong is told what to do.
    if (verdict === 'warning' || verdict === 'failure') expect(finding.remedy).toMatch(/\w/);
    if (verdict === 'ok') expect(finding.remedy).toBeNull();
  });

  it.each(CHECK_NAMES)('of %s is tried above, and not known where nothing could be found out', (name) => {
    expect(CASES.some(([, tried]) => tried === name)).toBe(true);
    expect(judgeCheck(name, { unknown: 'it threw' })).toEqual({ verdict: 'not known', seen: 'it threw', remedy: null });
  });
});

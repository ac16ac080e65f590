import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  endedBy,
  isGivenUp,
  nextAttemptAt,
  planDelivery,
  untoldBeginning,
  type Beginning,
  type Plan,
  type Waiting,
} from './delivery-plan.ts';
import type { NotificationKind } from '../../facts/message.ts';

const SETTINGS = { threshold: 5, windowMs: 30_000 };
const NOW = 1_000_000;
const row = (id: string, kind: Waiting['kind'], more: Partial<Waiting> = {}): Waiting => ({
  id,
  kind,
  audience: ['down', 'up', 'recovered'].includes(kind) ? 'customer' : 'admin',
  recipientId: 'user-1',
  channel: 'email',
  thread: 'incident-1',
  status: 'pending',
  attempts: 0,
  mayHaveArrived: false,
  nextAttemptAtMs: NOW,
  createdAtMs: NOW,
  touchedAtMs: more.createdAtMs ?? NOW,
  ...more,
});
const many = (count: number, more: Partial<Waiting> = {}): Waiting[] =>
  Array.from({ length: count }, (_, n) => row(`m${n}`, 'circuit_opened', { thread: `incident-${n}`, ...more }));
const old = { createdAtMs: NOW - 30_000, nextAttemptAtMs: NOW - 30_000 };
const plan = (...rows: Waiting[]): Plan => planDelivery(rows, NOW, SETTINGS);

describe('an ending', () => {
  it.each([
    ['down', 'up'],
    ['circuit_opened', 'circuit_closed'],
    ['crash_loop', 'circuit_closed'],
    ['circuit_reminder', 'circuit_closed'],
    ['monitor_fault_began', 'monitor_fault_ended'],
  ] as const)('tells its beginning too when both wait: %s, %s', (begin, end) => {
    expect(plan(row('a', begin, old), row('b', end, old))).toEqual({
      collapse: [{ id: 'a', toldBy: 'b' }],
      digests: [],
      send: ['b'],
    });
  });

  it('also when the beginning has definitely failed, and waits for its next attempt', () => {
    const begin = row('a', 'down', { attempts: 4, nextAttemptAtMs: NOW + 60_000 });
    expect(plan(begin, row('b', 'up'))).toMatchObject({ collapse: [{ id: 'a', toldBy: 'b' }], send: ['b'] });
  });

  it.each([
    ['may have arrived', { mayHaveArrived: true, nextAttemptAtMs: NOW + 60_000 }],
    ['is being sent', { status: 'sending' as const }],
  ])('waits while its beginning %s', (_, more) => {
    expect(plan(row('a', 'down', more), row('b', 'up'))).toEqual({ collapse: [], digests: [], send: [] });
  });

  it.each([
    ['of another incident', { thread: 'incident-2' }],
    ['of another recipient', { recipientId: 'user-2' }],
    ['on another channel', { channel: 'telegram' as const }],
  ])('has nothing to do with a beginning %s', (_, more) => {
    const { collapse, send } = plan(row('a', 'down', more), row('b', 'up'));
    expect({ collapse, send: send.toSorted() }).toEqual({ collapse: [], send: ['a', 'b'] });
  });

  it.each<[string, Beginning[], NotificationKind | null]>([
    ['was sent', [{ kind: 'circuit_opened', status: 'sent' }], null],
    ['was collapsed', [{ kind: 'circuit_opened', status: 'collapsed' }], 'circuit_opened'],
    ['was refused', [{ kind: 'crash_loop', status: 'failed' }], 'crash_loop'],
    [
      'was sent, but not its reminder',
      [
        { kind: 'circuit_opened', status: 'sent' },
        { kind: 'circuit_reminder', status: 'collapsed' },
      ],
      null,
    ],
    ['was never written', [], null],
  ])('is told together with its beginning unless that was told: it %s', (_, beginnings, untold) => {
    expect(untoldBeginning(beginnings)?.kind ?? null).toBe(untold);
  });
});

describe('a storm', () => {
  it.each([
    ['five are sent', many(5, old), { digests: [], send: ['m0', 'm1', 'm2', 'm3', 'm4'] }],
    ['six become one', many(6, old), { digests: [['m0', 'm1', 'm2', 'm3', 'm4', 'm5']], send: [] }],
    ['nothing is sent before 30 s', many(1, { createdAtMs: NOW - 29_999 }), { digests: [], send: [] }],
    ['it counts for each recipient', [...many(3, old), ...many(3, { ...old, recipientId: 'user-2' })], { digests: [] }],
    [
      'the first one opens the window',
      [...many(1, old), ...many(6).slice(1)],
      { digests: [['m0', 'm1', 'm2', 'm3', 'm4', 'm5']] },
    ],
    ['what may have arrived is repeated, not digested', many(6, { ...old, mayHaveArrived: true }), { digests: [] }],
    [
      'what waits for its next attempt is left alone',
      many(6, { attempts: 2, nextAttemptAtMs: NOW + 1 }),
      { digests: [], send: [] },
    ],
  ])('%s', (_, rows, expected) => {
    expect(plan(...rows)).toMatchObject(expected);
  });

  it('never holds up a customer', () => {
    const customers = Array.from({ length: 20 }, (_, n) => row(`c${n}`, 'down', { thread: `incident-${n}` }));
    expect(plan(...customers, ...many(6)).send).toHaveLength(20);
  });

  it('that is over leaves its endings behind the digest that tells of its beginnings', () => {
    const digest = row('d', 'digest', { thread: null, createdAtMs: NOW - 90_000, nextAttemptAtMs: NOW + 60_000 });
    const end = row('e', 'circuit_closed', old);
    expect(plan(digest, end).send).toEqual([]);
    expect(plan(end).send).toEqual(['e']);
  });
});

describe('a clock that was two hours ahead and is set back', () => {
  const HOURS = 2 * 60 * 60_000;
  it('leaves nothing waiting for that time: what was written then, and what was tried then, is due', () => {
    const ahead = { createdAtMs: NOW + HOURS, nextAttemptAtMs: NOW + HOURS };
    expect(plan(row('a', 'down', ahead)).send).toEqual(['a']);
    expect(plan(row('a', 'circuit_opened', ahead)).send).toEqual(['a']);
    expect(plan(...many(6, ahead)).digests).toHaveLength(1);
    const tried = { attempts: 3, touchedAtMs: NOW + HOURS, nextAttemptAtMs: NOW + HOURS + 60_000 };
    expect(plan(row('a', 'down', { ...old, ...tried })).send).toEqual(['a']);
  });
  it('does not hurry what the other side has asked to wait for', () => {
    const asked = { attempts: 1, touchedAtMs: NOW - 1000, nextAttemptAtMs: NOW + HOURS };
    expect(plan(row('a', 'down', { ...old, ...asked })).send).toEqual([]);
  });
});

describe('the next attempt', () => {
  it('comes after 15 s, then later and later up to 30 min, each with some chance', () => {
    const delays = [1, 2, 3, 7, 8, 9, 100].map((attempts) => nextAttemptAt(attempts, 0, 0.5) / 1000);
    expect(delays).toEqual([15, 30, 60, 960, 1800, 1800, 1800]);
    expect([0, 1].map((random) => nextAttemptAt(1, 0, random) / 1000)).toEqual([12, 18]);
  });
  it('is never before the time that the other side has asked for', () => {
    expect(nextAttemptAt(1, NOW, 0, 90_000)).toBe(NOW + 90_000);
    expect(nextAttemptAt(8, NOW, 0.5, 90_000)).toBe(NOW + 1_800_000);
  });
  it('is the last one after three days', () => {
    const days = 24 * 60 * 60_000;
    expect([isGivenUp(0, 3 * days - 1), isGivenUp(0, 3 * days)]).toEqual([false, true]);
  });
});

describe('whatever happens', () => {
  type Sim = Waiting & { final?: 'sent' | 'failed' | 'collapsed' | 'digested'; toldBy?: string };
  const PAIRS = [
    ['down', 'up'],
    ['circuit_opened', 'circuit_closed'],
    ['crash_loop', 'circuit_closed'],
  ] as const;
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.record({ do: fc.constant('begin' as const), pair: fc.nat(2), incident: fc.nat(9) }) },
    { weight: 3, arbitrary: fc.record({ do: fc.constant('end' as const), nth: fc.nat(9) }) },
    {
      weight: 6,
      arbitrary: fc.record({
        do: fc.constant('send' as const),
        results: fc.array(fc.constantFrom('sent', 'refused', 'lost', 'rejected'), { minLength: 1, maxLength: 5 }),
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        do: fc.constant('wait' as const),
        ms: fc.constantFrom(1_000, 31_000, 3_600_000, -7_200_000),
      }),
    },
  );

  it('no ending arrives without its beginning, no beginning after its ending, and each message ends in one way', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), fc.boolean(), (steps, pessimist) => {
        const rows: Sim[] = [];
        const arrived: { row: Sim; items: Sim[]; combined: boolean }[] = [];
        const open: { begin: Sim; end: NotificationKind }[] = [];
        let nowMs = NOW;
        const waiting = (): Sim[] => rows.filter(({ final }) => final === undefined);
        const statusOf = (begin: Sim): string =>
          begin.final === 'digested'
            ? (rows.find(({ id }) => id === begin.toldBy)?.final ?? 'pending')
            : (begin.final ?? 'pending');
        const beginnings = (end: Sim): Sim[] =>
          rows.filter((begin) => begin.thread === end.thread && endedBy(end.kind).some((kind) => kind === begin.kind));
        const finish = (id: string, change: Partial<Sim>): void => {
          const at = rows.findIndex((sim) => sim.id === id);
          const before = rows[at];
          expect(before?.final).toBeUndefined();
          if (before) rows[at] = { ...before, ...change };
        };
        const sendAll = (results: readonly string[]): void => {
          const { collapse, digests, send } = planDelivery(waiting(), nowMs, SETTINGS);
          for (const { id, toldBy } of collapse) finish(id, { final: 'collapsed', toldBy });
          for (const items of digests) {
            const id = `digest-${rows.length}`;
            rows.push(row(id, 'digest', { thread: null, createdAtMs: nowMs, nextAttemptAtMs: nowMs }));
            for (const item of items) finish(item, { final: 'digested', toldBy: id });
          }
          for (const [index, id] of send.entries()) {
            const sim = rows.find((one) => one.id === id);
            if (!sim) throw new Error('sent what is not there');
            const begun = beginnings(sim).map((begin) => ({ kind: begin.kind, status: statusOf(begin) }));
            // As `claim` does: a clock set back may have dated a digest after the endings of what it tells.
            if (begun.some(({ status }) => status === 'pending')) continue;
            const untold = untoldBeginning(begun);
            const result = results[index % results.length];
            if (result === 'sent' || result === 'lost')
              arrived.push({ row: sim, items: rows.filter(({ toldBy }) => toldBy === id), combined: untold !== null });
            if (result === 'sent') finish(id, { final: 'sent' });
            else if (result === 'rejected') finish(id, { final: 'failed' });
            else
              finish(id, {
                attempts: sim.attempts + 1,
                touchedAtMs: nowMs,
                mayHaveArrived: sim.mayHaveArrived || result === 'lost',
                nextAttemptAtMs: nextAttemptAt(sim.attempts + 1, nowMs, pessimist ? 1 : 0),
              });
          }
        };
        for (const current of steps) {
          nowMs += 1;
          const at = { createdAtMs: nowMs, nextAttemptAtMs: nowMs };
          if (current.do === 'wait') nowMs += current.ms;
          if (current.do === 'send') sendAll(current.results);
          if (current.do === 'begin') {
            const [kind, end] = PAIRS[current.pair] ?? PAIRS[0];
            const begin: Sim = row(`m${rows.length}`, kind, { ...at, thread: `i${rows.length}` });
            rows.push(begin);
            open.push({ begin, end });
          }
          if (current.do === 'end' && open.length > 0) {
            const [ended] = open.splice(current.nth % open.length, 1);
            if (ended) rows.push(row(`m${rows.length}`, ended.end, { ...at, thread: ended.begin.thread }));
          }
        }
        for (let n = 0; n < 40; n++) {
          nowMs += 1_900_000;
          sendAll(['sent']);
        }

        expect(waiting()).toEqual([]);
        const tells = arrived.flatMap(({ row: sim, items, combined }, order) =>
          [sim, ...items.filter(({ final }) => final === 'digested')].map((told) => ({ told, combined, order })),
        );
        for (const end of tells.filter(({ told }) => endedBy(told.kind).length > 0)) {
          const begin = rows.find((sim) => beginnings(end.told).includes(sim));
          const before = tells.filter(({ told, order }) => told.id === begin?.id && order <= end.order);
          const inSameDigest = end.told.final === 'digested' && begin?.final === 'collapsed';
          const refused = begin !== undefined && statusOf(begin) === 'failed';
          expect(before.length > 0 || end.combined || inSameDigest || (refused && end.told.final === 'digested')).toBe(
            true,
          );
          expect(tells.filter(({ told, order }) => told.id === begin?.id && order > end.order)).toEqual([]);
        }
      }),
      { numRuns: 500 },
    );
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  batchOf,
  nextMove,
  planBatches,
  whyTooSlow,
  type Batch,
  type Brake,
  type Move,
  type Paced,
  type PaceLimits,
} from './pace.ts';

const MINUTE_MS = 60_000;
const LIMITS: PaceLimits = {
  batchSize: 5,
  maxSockets: 300,
  intervalMs: MINUTE_MS,
  connectTimeoutMs: 10_000,
  isDueToEnd: true,
};
const NOON_MS = Date.UTC(2026, 5, 15, 12);

type Vps = Paced & { readonly name: string };
const vps = (name: string, given: Partial<Vps> = {}): Vps => ({
  name,
  address: name,
  lookedAt: new Date(NOON_MS - MINUTE_MS),
  expectedMs: 100,
  ...given,
});
const named = (batches: readonly Batch<Vps>[]): string[] =>
  batches.map(({ vpss }) => vpss.map(({ name }) => name).join(''));

describe('the plan', () => {
  it.each<[string, Vps[], string[]]>([
    ['is empty for an empty fleet', [], []],
    ['cuts the fleet into fives', Array.from('abcdefg', (name) => vps(name)), ['abcde', 'fg']],
    [
      'begins with those that were looked at longest ago, and before them with those that never were',
      [vps('a'), vps('b', { lookedAt: new Date(NOON_MS - 2 * MINUTE_MS) }), vps('c', { lookedAt: null })],
      ['cba'],
    ],
    [
      'puts the slow and the silent together, at the end',
      [vps('a', { expectedMs: 10_000 }), vps('b'), vps('c', { expectedMs: 3_000 }), vps('d', { expectedMs: 2_999 })],
      ['bd', 'ac'],
    ],
    [
      'lets the slow wait for one interval, and no longer',
      [
        vps('a', { expectedMs: 10_000, lookedAt: new Date(NOON_MS - 2 * MINUTE_MS - 1) }),
        vps('b', { lookedAt: new Date(NOON_MS - MINUTE_MS) }),
      ],
      ['a', 'b'],
    ],
    [
      'puts the slow last where nobody was ever looked at',
      [vps('a', { expectedMs: 10_000, lookedAt: null }), vps('b', { lookedAt: null })],
      ['b', 'a'],
    ],
  ])('%s', (_, fleet, expected) => {
    expect(named(planBatches(fleet, LIMITS))).toEqual(expected);
  });

  it('takes as long for a batch as for its slowest member', () => {
    expect(planBatches([vps('a'), vps('b', { expectedMs: 700 })], LIMITS)[0]?.expectedMs).toBe(700);
  });
});

const FIVE = batchOf(
  Array.from('abcde', (name) => vps(name)),
  null,
);
const OTHERS = batchOf(
  Array.from('klmno', (name) => vps(name)),
  null,
);
const SLOW = batchOf(
  Array.from('vwxyz', (name) => vps(name, { expectedMs: 10_000 })),
  null,
);
const AGAIN = batchOf([vps('s', { expectedMs: 10_000 })], 70_000);
const AT_REST = { nowMs: 0, waiting: [FIVE], underWay: [], open: 0, lastStartMs: -Infinity };
const since = (startedAtMs: number, batch = FIVE) => ({ ...batch, startedAtMs });
const times = <T>(count: number, one: T): T[] => Array.from({ length: count }, () => one);

describe('the next move', () => {
  it.each<[string, Parameters<typeof nextMove<Vps>>[0], Partial<PaceLimits>, Move<Vps>]>([
    ['is to begin at once', AT_REST, {}, { do: 'start', batch: FIVE }],
    ['is none where all has ended', { ...AT_REST, waiting: [] }, {}, { do: 'done' }],
    [
      'is to wait for what is under way where nothing else is left',
      { ...AT_REST, waiting: [], underWay: [since(0)] },
      {},
      { do: 'wait', untilMs: null, brake: 'turn' },
    ],
    [
      'of a small fleet comes after 200 ms, whether the batch before has ended or not',
      { ...AT_REST, nowMs: 150, lastStartMs: 100, underWay: [since(100)] },
      {},
      { do: 'wait', untilMs: 300, brake: 'turn' },
    ],
    [
      'of a large fleet comes so soon that all begin in time for two silences',
      { ...AT_REST, nowMs: 16_000, lastStartMs: 16_000, waiting: times(1_000, FIVE) },
      {},
      { do: 'wait', untilMs: 16_020, brake: 'turn' },
    ],
    [
      'comes sooner where the silent at the end will need several turns',
      {
        ...AT_REST,
        nowMs: 6_000,
        lastStartMs: 6_000,
        // 180 of them at 300 sockets: three waves of ten seconds.
        waiting: [...times(1_000, FIVE), ...times(180, SLOW)],
      },
      {},
      { do: 'wait', untilMs: 6_020, brake: 'turn' },
    ],
    [
      'of the silent comes after 50 ms',
      { ...AT_REST, nowMs: 1_000, lastStartMs: 990, waiting: [SLOW] },
      {},
      { do: 'wait', untilMs: 1_040, brake: 'turn' },
    ],
    [
      'waits where restarts and looks have all the sockets',
      { ...AT_REST, nowMs: 1_000, underWay: [since(0), since(0)], open: 11 },
      { maxSockets: 15 },
      { do: 'wait', untilMs: null, brake: 'sockets' },
    ],
    [
      'takes the last sockets',
      { ...AT_REST, nowMs: 1_000, underWay: times(20, since(0, SLOW)), open: 10 },
      { maxSockets: 15 },
      { do: 'start', batch: FIVE },
    ],
    [
      'looks at one batch at least, however few sockets there are',
      AT_REST,
      { maxSockets: 1 },
      { do: 'start', batch: FIVE },
    ],
    [
      'waits where a hundred logins are young, until the first is not',
      { ...AT_REST, nowMs: 2_500, waiting: [OTHERS], underWay: [since(500), ...times(19, since(2_000))] },
      {},
      { do: 'wait', untilMs: 3_500, brake: 'work' },
    ],
    [
      'does not count as work what was silent last time, nor what has been under way for long',
      { ...AT_REST, nowMs: 4_000, underWay: [...times(19, since(0, OTHERS)), ...times(19, since(3_900, SLOW))] },
      {},
      { do: 'start', batch: FIVE },
    ],
    ['is to stop where the time is up', { ...AT_REST, nowMs: 59_901 }, {}, { do: 'leave', batches: [FIVE] }],
    [
      'does not leave what waits for its second look',
      { ...AT_REST, nowMs: 69_000, waiting: [AGAIN, FIVE] },
      {},
      { do: 'leave', batches: [FIVE] },
    ],
    [
      'waits until a second look is due',
      { ...AT_REST, nowMs: 69_000, waiting: [AGAIN] },
      {},
      { do: 'wait', untilMs: 70_000, brake: 'turn' },
    ],
    [
      'begins a second look when it is due',
      { ...AT_REST, nowMs: 70_000, waiting: [AGAIN] },
      {},
      { do: 'start', batch: AGAIN },
    ],
    [
      'goes on with the others until then',
      { ...AT_REST, nowMs: 50_000, waiting: [AGAIN, FIVE] },
      {},
      { do: 'start', batch: FIVE },
    ],
    [
      'is to begin as long as the time suffices, with two seconds to spare',
      { ...AT_REST, nowMs: 57_900 },
      {},
      { do: 'start', batch: FIVE },
    ],
    ['is none after that', { ...AT_REST, nowMs: 57_901 }, {}, { do: 'leave', batches: [FIVE] }],
    [
      'does not stop what is in no hurry',
      { ...AT_REST, nowMs: 90_000 },
      { isDueToEnd: false },
      { do: 'start', batch: FIVE },
    ],
    [
      'begins in the first half what takes longer than all of the interval',
      { ...AT_REST, waiting: [SLOW], nowMs: 2_500 },
      { intervalMs: 5_000 },
      { do: 'start', batch: SLOW },
    ],
    [
      'but not in the second',
      { ...AT_REST, waiting: [SLOW], nowMs: 2_501 },
      { intervalMs: 5_000 },
      { do: 'leave', batches: [SLOW] },
    ],
  ])('%s', (_, progress, limits, expected) => {
    expect(nextMove(progress, { ...LIMITS, ...limits })).toEqual(expected);
  });

  it('passes over those whose address has enough, and waits where there are no others', () => {
    const home = times(3, vps('h', { address: 'home' }));
    const progress = { ...AT_REST, nowMs: 1_000, underWay: [since(0, batchOf(home, null))] };
    expect(nextMove({ ...progress, waiting: [batchOf(home, null), FIVE] }, LIMITS)).toEqual({
      do: 'start',
      batch: FIVE,
    });
    expect(nextMove({ ...progress, waiting: [batchOf(home, null)] }, LIMITS)).toMatchObject({ brake: 'address' });
    const two = batchOf(home.slice(0, 2), null);
    expect(nextMove({ ...progress, waiting: [two] }, LIMITS)).toEqual({ do: 'start', batch: two });
  });

  const AT_HOME = since(0, batchOf(times(5, vps('h', { address: 'home', expectedMs: 10_000 })), null));
  it.each<[string, Brake, Partial<Parameters<typeof nextMove<Vps>>[0]>]>([
    ['sockets', 'sockets', { open: LIMITS.maxSockets - 4 }],
    ['logins', 'work', { underWay: [AT_HOME, ...Array.from({ length: 20 }, () => since(900, FIVE))] }],
  ])('holds to the number of %s also where the next one is passed over', (_, brake, progress) => {
    const next = batchOf(times(1, vps('h', { address: 'home', expectedMs: 10_000 })), null);
    const waiting = [next, OTHERS];
    const at = { ...AT_REST, nowMs: 1_000, lastStartMs: 100, underWay: [AT_HOME], waiting };
    expect(nextMove(at, LIMITS)).toEqual({ do: 'start', batch: OTHERS });
    expect(nextMove({ ...at, ...progress }, LIMITS)).toMatchObject({ do: 'wait', brake });
  });

  it('lets a batch of one address begin where nobody else is there, whatever its size', () => {
    const home = batchOf(times(20, vps('h', { address: 'home' })), null);
    expect(nextMove({ ...AT_REST, waiting: [home] }, LIMITS)).toEqual({ do: 'start', batch: home });
  });

  it.each([
    ['sockets', 'SWEEP_MAX_SOCKETS'],
    ['work', '100 logins'],
    ['address', 'share an address'],
    ['turn', 'held up'],
  ] as const)('names what has cost most: %s', (brake, expected) => {
    const lost = new Map([['sockets', 10] as const, ['work', 10] as const, [brake, 20] as const]);
    expect(whyTooSlow(lost, LIMITS)).toContain(expected);
  });
});

type Sweep = {
  readonly startedAt: Map<string, number>;
  readonly endedAtMs: number;
  readonly most: number;
  readonly left: number;
};

const sizeOf = (batches: readonly Batch<Vps>[]): number => batches.reduce((sum, { vpss }) => sum + vpss.length, 0);

/** One sweep in which each look takes its time; what it really takes may be other than what is expected. */
function simulate(fleet: readonly Vps[], takesMs: (name: string) => number, limits: PaceLimits): Sweep {
  let [nowMs, lastStartMs, most] = [0, -Infinity, 0];
  let waiting = planBatches(fleet, limits);
  let underWay: (Batch<Vps> & { startedAtMs: number; endsAtMs: number })[] = [];
  const startedAt = new Map<string, number>();
  for (;;) {
    underWay = underWay.filter(({ endsAtMs }) => endsAtMs > nowMs);
    const move = nextMove({ nowMs, waiting, underWay, open: sizeOf(underWay), lastStartMs }, limits);
    const endsAtMs = Math.max(nowMs, ...underWay.map((batch) => batch.endsAtMs));
    if (move.do === 'done' || move.do === 'leave')
      return { startedAt, endedAtMs: endsAtMs, most, left: sizeOf(waiting) };
    if (move.do === 'start') {
      waiting = waiting.filter((batch) => batch !== move.batch);
      for (const { name } of move.batch.vpss) {
        if (startedAt.has(name)) throw new Error(`${name} is looked at twice`);
        startedAt.set(name, nowMs);
      }
      const takes = Math.max(...move.batch.vpss.map(({ name }) => takesMs(name)));
      underWay.push({ ...move.batch, startedAtMs: nowMs, endsAtMs: nowMs + takes });
      lastStartMs = nowMs;
      most = Math.max(most, sizeOf(underWay));
    } else nowMs = Math.min(move.untilMs ?? Infinity, ...underWay.map((batch) => batch.endsAtMs));
  }
}

const fleetOf = (size: number, slowEvery: number): Vps[] =>
  Array.from({ length: size }, (_, index) =>
    vps(`v${index}`, { expectedMs: slowEvery > 0 && index % slowEvery === 0 ? 10_000 : 100 }),
  );

describe('a sweep', () => {
  it.each<[string, number, number, number]>([
    ['of a small fleet is over in seconds', 25, 0, 1_000],
    ['of 100', 100, 0, 4_000],
    ['of 200, of which 20 hang, is over in as long as one of them hangs', 200, 10, 19_000],
    ['of 1,000, of which 100 hang', 1_000, 10, 50_000],
    ['of 10,000, of which 1,000 hang', 10_000, 10, 60_000],
  ])('%s', (_, size, slowEvery, atMostMs) => {
    const fleet = fleetOf(size, slowEvery);
    const takes = new Map(fleet.map(({ name, expectedMs }) => [name, expectedMs]));
    const sweep = simulate(fleet, (name) => takes.get(name) ?? 0, LIMITS);
    expect(sweep.left).toBe(0);
    expect(sweep.endedAtMs).toBeLessThanOrEqual(atMostMs);
  });

  it('ends in time when a tenth falls silent that nobody expected to, and hangs twice', () => {
    const sweep = simulate(fleetOf(1_000, 0), (name) => (name.endsWith('0') ? 20_000 : 100), LIMITS);
    expect(sweep.left).toBe(0);
    expect(sweep.endedAtMs).toBeLessThan(MINUTE_MS);
  });

  const anyFleet = fc.array(
    fc.record({
      expectedMs: fc.integer({ min: 1, max: 30_000 }),
      takesMs: fc.integer({ min: 1, max: 30_000 }),
      address: fc.nat(40),
      age: fc.nat(200_000),
    }),
    { maxLength: 150 },
  );
  const anyLimits = fc.record({
    batchSize: fc.integer({ min: 1, max: 8 }),
    maxSockets: fc.integer({ min: 1, max: 60 }),
    intervalMs: fc.integer({ min: 1_000, max: 120_000 }),
    connectTimeoutMs: fc.integer({ min: 100, max: 20_000 }),
    isDueToEnd: fc.boolean(),
  });

  it('never looks twice, never has more sockets open than it may, and leaves out nobody without saying so', () => {
    fc.assert(
      fc.property(anyFleet, anyLimits, (facts, limits) => {
        const fleet = facts.map(({ expectedMs, address, age }, index) =>
          vps(`v${index}`, { expectedMs, address: String(address), lookedAt: new Date(NOON_MS - age) }),
        );
        const { startedAt, left, most } = simulate(fleet, (name) => facts[Number(name.slice(1))]?.takesMs ?? 0, limits);
        expect(startedAt.size + left).toBe(fleet.length);
        expect(most).toBeLessThanOrEqual(Math.max(limits.maxSockets, limits.batchSize));
        if (!limits.isDueToEnd) expect(left).toBe(0);
      }),
    );
  });

  it('that cannot get around in time does so in the next ones: nobody is left out for ever', () => {
    fc.assert(
      fc.property(anyFleet, anyLimits, (facts, limits) => {
        let fleet = facts.map(({ expectedMs, address, age }, index) =>
          vps(`v${index}`, { expectedMs, address: String(address), lookedAt: new Date(NOON_MS - age) }),
        );
        const seen = new Set<string>();
        for (let sweep = 1; sweep <= 3 * facts.length + 3; sweep++) {
          const { startedAt } = simulate(fleet, (name) => facts[Number(name.slice(1))]?.takesMs ?? 0, limits);
          const beganMs = NOON_MS + 200_000 + sweep * limits.intervalMs;
          fleet = fleet.map((one) => {
            const at = startedAt.get(one.name);
            if (at === undefined) return one;
            seen.add(one.name);
            return { ...one, lookedAt: new Date(beganMs + at) };
          });
          if (seen.size === fleet.length) break;
        }
        expect(seen.size).toBe(fleet.length);
      }),
      { numRuns: 50 },
    );
  });
});

import { describe, expect, it } from 'vitest';
import { createShortCache } from './short-cache.ts';

function setUp(entries = 10) {
  const clock = { nowMs: 1_000 };
  let made = 0;
  const cache = createShortCache<string>({
    keepMs: 10_000,
    entries,
    worthKeeping: (value) => !value.startsWith('bad'),
    nowMs: () => clock.nowMs,
  });
  const make =
    (word = 'made') =>
    async (): Promise<string> =>
      `${word} ${++made}`;
  return { clock, cache, make };
}

describe('the short cache', () => {
  it('makes a thing once in its time, however many ask at once', async () => {
    const { clock, cache, make } = setUp();
    expect(await Promise.all([cache('a', make()), cache('a', make()), cache('b', make())])).toEqual([
      'made 1',
      'made 1',
      'made 2',
    ]);
    clock.nowMs += 9_999;
    expect(await cache('a', make())).toBe('made 1');
    clock.nowMs += 1;
    expect(await cache('a', make())).toBe('made 3');
  });

  it('keeps nothing that failed or is not worth it', async () => {
    const { cache, make } = setUp();
    await expect(cache('a', () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(await cache('a', make('bad'))).toBe('bad 1');
    expect(await cache('a', make())).toBe('made 2');
    expect(await cache('a', make())).toBe('made 2');
  });

  it('holds so many and no more', async () => {
    const { cache, make } = setUp(2);
    for (const key of ['a', 'b', 'c']) await cache(key, make());
    expect(await cache('c', make())).toBe('made 3');
    expect(await cache('b', make())).toBe('made 2');
    expect(await cache('a', make())).toBe('made 4');
  });
});

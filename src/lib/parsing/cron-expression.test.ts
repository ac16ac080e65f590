import cronParser from 'cron-parser';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { firstRuns, isCron } from './cron-expression.ts';

const takesIt = (text: string): boolean => {
  try {
    cronParser.parseExpression(text);
    return true;
  } catch {
    return false;
  }
};
const number = fc.integer({ min: -1, max: 61 }).map(String);
const range = fc.tuple(number, number).map(([from, to]) => `${from}-${to}`);
const base = fc.oneof(fc.constant('*'), number, range, fc.constantFrom('?', 'L', 'MON', 'JAN', 'x', '', '5L', '1#2'));
const part = fc.oneof(
  { weight: 3, arbitrary: base },
  fc.tuple(base, number).map(([what, step]) => `${what}/${step}`),
);
const field = fc.oneof(
  { weight: 4, arbitrary: fc.constant('*') },
  fc.array(part, { minLength: 1, maxLength: 3 }).map((parts) => parts.join(',')),
);
const expression = fc.array(field, { minLength: 5, maxLength: 6 }).map((fields) => fields.join(' '));

describe('a cron expression', () => {
  it('is taken if, and only if, the parser that works out its runs takes it', () => {
    fc.assert(
      fc.property(expression, (text) => {
        if (text.split(/\s+/).length < 5) return;
        expect({ text, isCron: isCron(text) }).toEqual({ text, isCron: takesIt(text) });
      }),
      { numRuns: 500 },
    );
  });

  it.each([
    ['*/1 * * * *', true],
    ['*/10 * * * * *', true],
    ['0,30 9-17 * * 1-5', true],
    ['0 0 30 2 *', false],
    ['0 0 29 2 *', true],
    ['60 * * * *', false],
    ['* * * *', false],
    ['* * * * * * *', false],
    ['hourly', false],
  ])('%s: %s', (text, expected) => {
    expect(isCron(text)).toBe(expected);
  });

  it('has the runs that the parser works out, which is not loaded for a plain one', () => {
    fc.assert(
      fc.property(expression, (text) => {
        fc.pre(isCron(text) && !/[A-Zx?#]/.test(text));
        const runs = cronParser.parseExpression(text, { currentDate: new Date(-1), utc: true });
        const expected = Array.from({ length: 5 }, () => runs.next().getTime());
        expect({ text, runs: firstRuns(text, 5) }).toEqual({ text, runs: expected });
      }),
      { numRuns: 500 },
    );
  });

  it.each([
    ['7 3 * * 1', [4, 11, 18]],
    ['7 3 * * 0', [3, 10, 17]],
    ['7 3 * * 7', [3, 10, 17]],
    ['7 3 31 * *', [30, 30 + 59, 30 + 59 + 61]],
    ['7 3 2 * 4', [0, 1, 7]],
  ])('%s runs first on the days %j of 1970', (text, days) => {
    expect(firstRuns(text, 3)).toEqual(days.map((day) => ((day * 24 + 3) * 60 + 7) * 60_000));
  });
});

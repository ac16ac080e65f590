import cronParser from 'cron-parser';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isCron } from './cron-expression.ts';

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
});

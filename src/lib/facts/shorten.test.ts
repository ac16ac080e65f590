import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { beginningOf, charactersOf, shorten } from './shorten.ts';

describe('shorten', () => {
  it('leaves what is short enough, and cuts with an ellipsis', () => {
    expect(shorten('abcde', 5)).toBe('abcde');
    expect(shorten('abcdef', 5)).toBe('abcd…');
    expect(shorten('abc def', 5)).toBe('abc…');
    expect(shorten('', 5)).toBe('');
  });

  it.each([
    ['an emoji', 'ab😀cd', 4, 'ab…'],
    ['a letter with a mark', 'abe\u0301cd', 4, 'ab…'],
    ['a flag', 'a🇳🇴bcd', 4, 'a…'],
    ['an emoji with its colour', 'ab👍🏽cd', 6, 'ab…'],
    ['a family', 'ab👨‍👩‍👧cd', 8, 'ab…'],
    ['a syllable of Hangul', 'ab\u1112\u1161\u11abcd', 5, 'ab…'],
    ['a line break of two', 'ab\r\ncd', 4, 'ab…'],
  ])('does not cut %s', (_, text, longest, expected) => {
    expect(shorten(text, longest)).toBe(expected);
  });

  it('cuts a character that is made up to be endless, but no code point', () => {
    expect(beginningOf(`a${'\u0301'.repeat(500)}`, 300)).toHaveLength(300);
    expect(beginningOf(`a${'😀\u200d'.repeat(500)}`, 300).isWellFormed()).toBe(true);
    expect(beginningOf('😀', 1)).toBe('');
  });

  it('gives at most so many units, a beginning of the text that ends between two characters', () => {
    const text = fc.string({ unit: 'grapheme', maxLength: 60 });
    fc.assert(
      fc.property(text, fc.integer({ min: 1, max: 60 }), (whole, longest) => {
        const beginning = beginningOf(whole, longest);
        expect(beginning.length).toBeLessThanOrEqual(longest);
        expect(beginning.isWellFormed()).toBe(true);
        expect(whole.startsWith(beginning)).toBe(true);
        const short = shorten(whole, longest);
        expect(short.length).toBeLessThanOrEqual(longest);
        expect(charactersOf(whole).slice(0, charactersOf(beginning).length).join('')).toBe(beginning);
      }),
      { numRuns: 500 },
    );
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cleanRemoteLines, cleanRemoteText } from './remote-text.ts';

describe('cleanRemoteText', () => {
  it.each([
    ['\u001b[31mred\u001b[0m alert', 'red alert'],
    ['\u001b]0;owned\u0007title', 'title'],
    ['a\r\n[health-checker] user-1: healthy', 'a [health-checker] user-1: healthy'],
    ['abc\u202edef', 'abc def'],
    ['nul\u0000 bell\u0007 del\u007f c1\u009b31m', 'nul bell del c1'],
    ['  plenty \t of   space ', 'plenty of space'],
  ])('makes %o harmless', (text, clean) => {
    expect(cleanRemoteText(text)).toBe(clean);
  });

  it('shortens with an ellipsis', () => {
    expect(cleanRemoteText('x'.repeat(500))).toBe(`${'x'.repeat(199)}…`);
    expect(cleanRemoteText('x'.repeat(200))).toHaveLength(200);
  });

  it('cuts no character in half, wherever the cut falls', () => {
    for (const character of ['😀', '🇳🇴', 'e\u0301'])
      for (let before = 195; before < 200; before++) {
        const clean = cleanRemoteText(`${'x'.repeat(before)}${character.repeat(10)}`);
        expect(clean.slice(before, -1)).toBe(character.repeat(Math.floor((199 - before) / character.length)));
      }
    // Also where it is cut before it is cleaned.
    expect(cleanRemoteText(`${' '.repeat(9_999)}😀`).isWellFormed()).toBe(true);
  });

  it('leaves one short line without control or direction characters of whatever it is given', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary-ascii' })),
        fc.integer({ min: 10, max: 80 }),
        (text, longest) => {
          const clean = cleanRemoteText(text, longest);
          expect(clean.length).toBeLessThanOrEqual(longest);
          expect(clean).not.toMatch(/\p{Cc}|[\u2028\u2029\u202a-\u202e\u2066-\u2069]/u);
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe('cleanRemoteLines', () => {
  it('cleans each line and drops empty ones', () => {
    expect(cleanRemoteLines('one\u0007\n\n\u001b[1mtwo\u001b[0m\r\n', 100)).toBe('one\ntwo');
  });

  it('keeps the last whole lines of what is too long, counted in bytes', () => {
    expect(cleanRemoteLines('first\nsecond\nthird', 12)).toBe('third');
    expect(cleanRemoteLines('ää\nöö', 9)).toBe('ää\nöö');
    expect(cleanRemoteLines('ää\nöö', 8)).toBe('öö');
  });
});

import { describe, expect, it } from 'vitest';
import { stripInWords, stripPaths } from './strip-drawing.ts';

describe('a strip of checks', () => {
  it('stands at the right end, trouble taller than health, and what is to come flat', () => {
    expect(stripPaths('hd', 3)).toEqual([
      { state: '-', width: 2, path: 'M0 17h2' },
      { state: 'h', width: 10, path: 'M3 13h2' },
      { state: 'd', width: 18, path: 'M6 9h2' },
    ]);
  });
  it('draws checks of a state that follow each other as one line, whose dashes they are', () => {
    expect(stripPaths('hhhuuh', 6)).toEqual([
      { state: 'h', width: 10, path: 'M0 13h8M15 13h2' },
      { state: 'u', width: 14, path: 'M9 11h5' },
    ]);
  });
  it('draws each state once, and the newest checks only', () => {
    const paths = stripPaths(`d${'hu'.repeat(30)}`, 60);
    expect(paths.map(({ state, path }) => [state, path.match(/M/g)?.length])).toEqual([
      ['h', 30],
      ['u', 30],
    ]);
  });
  it('is told in words', () => {
    expect(stripInWords('hhud?')).toBe('last 5 checks: 2 healthy, 1 unhealthy, 1 down, 1 not known');
    expect(stripInWords('')).toBe('not checked yet');
  });
});

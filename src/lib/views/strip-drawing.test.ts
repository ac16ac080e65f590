import { describe, expect, it } from 'vitest';
import { stripInWords, stripPaths } from './strip-drawing.ts';

describe('a strip of checks', () => {
  it('stands at the right end, trouble taller than health, and what is to come flat', () => {
    expect(stripPaths('hd', 3)).toEqual([
      { state: '-', path: 'M0 16h2v2h-2z' },
      { state: 'h', path: 'M3 8h2v10h-2z' },
      { state: 'd', path: 'M6 0h2v18h-2z' },
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

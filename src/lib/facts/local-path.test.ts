import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { localPath } from './local-path.ts';

const ORIGIN = 'https://wardround.example';

describe('a path to lead somebody to', () => {
  it.each([
    ['/', '/'],
    ['/vps/vps-1?tab=restarts', '/vps/vps-1?tab=restarts'],
    ['/vps/vps-1?next=//elsewhere.example', '/vps/vps-1?next=//elsewhere.example'],
    ['/vps/vps-1#end', '/vps/vps-1'],
    ['/vps/../incidents', '/incidents'],
    ['/%2f/elsewhere.example', '/%2f/elsewhere.example'],
    ['/@elsewhere.example', '/@elsewhere.example'],
    ['/ü?q=ø', '/%C3%BC?q=%C3%B8'],
  ])('%j is %s', (text, path) => {
    expect(localPath(text, ORIGIN)).toBe(path);
  });

  it.each([
    '',
    'vps',
    '?next=/',
    'https://elsewhere.example/',
    'https://wardround.example/',
    'javascript:alert(1)',
    'data:text/html,x',
    '//elsewhere.example/',
    '///elsewhere.example/',
    '/\\elsewhere.example/',
    '\\\\elsewhere.example/',
    '/\t/elsewhere.example/',
    '/\r\n/elsewhere.example/',
    ' //elsewhere.example/',
    '/.//elsewhere.example',
    '/./\\elsewhere.example',
    '/%2e//elsewhere.example',
    '/%2E\\/elsewhere.example',
    '/x/..//elsewhere.example',
    '/x/%2e%2e//elsewhere.example',
    '/x/.%2e//elsewhere.example',
    '/..//elsewhere.example',
    '/.\t//elsewhere.example',
    '/././/elsewhere.example',
    '//wardround.example@elsewhere.example/',
    '//[',
    '/.//',
  ])('%j is none', (text) => {
    expect(localPath(text, ORIGIN)).toBeNull();
  });

  it('stays on this site, whatever it is made of', () => {
    const pieces = fc.constantFrom(
      '/',
      '\\',
      '.',
      '%2e',
      '%5C',
      '%2f',
      '\t',
      '\n',
      ' ',
      '@',
      ':',
      '?',
      '#',
      'x.example',
      '[',
      'ü',
    );
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 12 }), (parts) => {
        const path = localPath(parts.join(''), ORIGIN);
        if (path === null) return;
        expect(new URL(path, ORIGIN).href).toBe(ORIGIN + path);
        expect(path).toMatch(/^\/(?![/\\])/);
      }),
      { numRuns: 5_000 },
    );
  });
});

import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { shellWord } from './shell-word.ts';

describe('a word of a remote command line', () => {
  it.each(['rachel8', 'app@1.service', 'a:b_c-d.e@f'])('stays %s', (text) => {
    expect(shellWord(text)).toBe(text);
  });

  it.each([
    String.raw`app@foo\x2dbar.service`,
    String.raw`\x2d`,
    "it's",
    "'; touch /tmp/owned; '",
    '$(id) `id` "x" \\',
    'a\nb',
    '* ? [a] ~ !! #',
    '',
  ])('reaches the command as %o', (text) => {
    const printed = execFileSync('sh', ['-c', `printf '%s.' --unit=${shellWord(text)} ${shellWord(text)}`], {
      encoding: 'utf8',
    });
    expect(printed).toBe(`--unit=${text}.${text}.`);
  });
});

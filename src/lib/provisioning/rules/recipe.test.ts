import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { recipeScript } from './recipe.ts';
import { RECIPES } from './rights.ts';

const KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHIMYyQWtmNHp6mXmUjm7Gm2hMTkQxyOUPWTAdCqcbvI';
const scriptOf = (recipe: (typeof RECIPES)[number], service = 'rachel8'): string =>
  recipeScript({ recipe, login: 'ward', service, publicKey: KEY });

describe.each(RECIPES)('the script of the recipe %s', (recipe) => {
  it.each(['rachel8', 'app@1.service', String.raw`app@foo\x2dbar.service`, 'a:b.timer', '_x-y'])(
    'for %s is one that sh(1) reads, and names no more than is needed',
    (service) => {
      const script = scriptOf(recipe, service);
      expect(spawnSync('sh', ['-n'], { input: script, encoding: 'utf8' })).toMatchObject({ status: 0, stderr: '' });
      expect(script).not.toMatch(/\*(?! as|\*)[^"]*NOPASSWD|NOPASSWD:.*\*/);
      expect(script).toContain('undo');
    },
  );

  it('does nothing unless it is root who runs it', () => {
    if (process.getuid?.() === 0) return;
    expect(spawnSync('sh', ['-s'], { input: scriptOf(recipe), encoding: 'utf8' })).toMatchObject({ status: 1 });
  });
});

it('gives the bus to the login, and systemd its unit and its verbs', () => {
  const script = scriptOf('bus');
  expect(script).toContain(`allow_key "restrict,command=\\"$bridge\\" $key wardround"`);
  expect(script).toContain(`action.lookup('unit') == 'rachel8.service' &&`);
  expect(script).toContain(`['start', 'restart', 'reset-failed'].indexOf(action.lookup('verb')) >= 0`);
  expect(scriptOf('bus', String.raw`a\x2db`)).toContain(String.raw`== 'a\\x2db.service'`);
});

it.each([
  ['0.105', 1],
  ['0.9', 1],
  ['0.99', 1],
  ['', 1],
  ['0.106', 0],
  ['0.120', 0],
  ['121', 0],
  ['126', 0],
])('takes polkit %s: %i', (version, status) => {
  const script = scriptOf('bus');
  const judge = script.slice(script.indexOf('case $polkit in'), script.indexOf('esac') + 4);
  expect(spawnSync('sh', ['-s'], { input: `polkit=${version}\n${judge}`, encoding: 'utf8' }).status).toBe(status);
});

it('names the four commands to sudo as sudo reads them', () => {
  const script = scriptOf('sudo', String.raw`app@foo\x2dbar`);
  const lines = script.slice(script.indexOf('<<RULES'), script.lastIndexOf('RULES') + 5);
  const input = `systemctl=/usr/bin/systemctl journalctl=/usr/bin/journalctl\ncat ${lines}\n`;
  expect(spawnSync('sh', ['-s'], { input, encoding: 'utf8' }).stdout).toBe(
    [
      String.raw`ward ALL=(root) NOPASSWD: /usr/bin/systemctl is-active app@foo\\x2dbar, /usr/bin/systemctl restart app@foo\\x2dbar, /usr/bin/systemctl reset-failed app@foo\\x2dbar`,
      String.raw`ward ALL=(root) NOPASSWD: /usr/bin/journalctl --unit\=app@foo\\x2dbar --lines\=50 --no-pager --quiet --output\=short-iso`,
      '',
    ].join('\n'),
  );
});

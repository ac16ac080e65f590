import { describe, expect, it } from 'vitest';
import { isPasswordless, judgeRights, readSudoList, type RightsFacts } from './rights.ts';

const NONE: RightsFacts = {
  uid: null,
  groups: [],
  bus: null,
  sudo: null,
  looks: false,
  forwards: false,
  isConfined: false,
};
const BUS = { start: true, restart: true, stop: false, other: false };
const SUDO = { look: true, restart: true, reset: true, journal: true, stop: false, other: false, any: false, more: [] };
const SHELL: RightsFacts = { ...NONE, uid: 1000, looks: true };

describe('what a login may', () => {
  it.each<
    [string, RightsFacts, { held: string; isProven?: boolean; beyond?: readonly RegExp[]; lacks?: readonly string[] }]
  >([
    ['nothing', NONE, { held: 'none' }],
    ['the bus, to start it', { ...NONE, bus: BUS }, { held: 'bus' }],
    ['the bus, only to read', { ...NONE, bus: { ...BUS, start: false, restart: false } }, { held: 'none' }],
    ['the bus, to start and not to restart it', { ...NONE, bus: { ...BUS, restart: false } }, { held: 'none' }],
    [
      'the bus and a shell',
      { ...SHELL, bus: BUS, sudo: { ...SUDO, look: false, restart: false } },
      { held: 'bus', beyond: [/a shell/] },
    ],
    [
      'the bus, to stop it and others',
      { ...NONE, bus: { ...BUS, stop: true, other: true } },
      { held: 'bus', beyond: [/^stop/, /^restart other/] },
    ],
    ['sudo for the four commands', { ...SHELL, sudo: SUDO }, { held: 'sudo' }],
    [
      'sudo without reset-failed',
      { ...SHELL, sudo: { ...SUDO, reset: false } },
      { held: 'sudo', lacks: ['lift the start limit (reset-failed)'] },
    ],
    ['sudo only to look', { ...SHELL, sudo: { ...SUDO, restart: false } }, { held: 'none' }],
    [
      'sudo for everything',
      { ...SHELL, sudo: { ...SUDO, stop: true, other: true, any: true, more: ['ALL'] } },
      { held: 'sudo', beyond: [/^stop/, /^restart other/, /^run any command as root$/] },
    ],
    [
      'sudo for more',
      { ...SHELL, sudo: { ...SUDO, more: ['/usr/bin/apt update'] } },
      { held: 'sudo', beyond: [/^do more by sudo \(\/usr\/bin\/apt update\)$/] },
    ],
    ['to be passed on', { ...SHELL, sudo: SUDO, forwards: true }, { held: 'sudo', beyond: [/forwarding/] }],
    [
      'by its groups',
      { ...SHELL, sudo: SUDO, groups: ['ward', 'docker'] },
      { held: 'sudo', beyond: [/by its groups \(docker\)$/] },
    ],
    [
      'root',
      { ...SHELL, uid: 0, sudo: { ...SUDO, stop: true, any: true } },
      { held: 'root', beyond: [/as it is root$/] },
    ],
    ['root where nothing of it works', { ...NONE, uid: 0 }, { held: 'none' }],
    ['to be told, and not what else', { ...NONE, looks: true }, { held: 'sudo', isProven: false }],
  ])('%s', (_, facts, { held, isProven = true, beyond = [], lacks = [] }) => {
    const judged = judgeRights(facts);
    expect({ held: judged.held, isProven: judged.isProven, lacks: judged.lacks }).toEqual({ held, isProven, lacks });
    expect(judged.held === 'none' ? [] : judged.beyond).toEqual(
      beyond.map((words) => expect.stringMatching(words) as string),
    );
  });
});

const LISTED = `Matching Defaults entries for ward on vps1:
    env_reset, mail_badpass, secure_path=/usr/sbin\\:/usr/bin

User ward may run the following commands on vps1:
    (root) NOPASSWD: /usr/bin/systemctl is-active app@a\\\\x2db, /usr/bin/journalctl --unit\\=rachel8 --lines\\=50, PASSWD: /usr/bin/id
    (root) NOPASSWD: SETENV: /usr/bin/systemctl restart *
    (ALL : ALL) ALL
`;

describe('what sudo lists', () => {
  it('is read entry by entry, as the commands are typed', () => {
    expect(readSudoList(LISTED)).toEqual([
      { noPassword: true, command: '/usr/bin/systemctl is-active app@a\\x2db' },
      { noPassword: true, command: '/usr/bin/journalctl --unit=rachel8 --lines=50' },
      { noPassword: false, command: '/usr/bin/id' },
      { noPassword: true, command: '/usr/bin/systemctl restart *' },
      { noPassword: false, command: 'ALL' },
    ]);
  });

  it.each([
    ['/usr/bin/systemctl restart rachel8', -1, true],
    // The last entry that fits counts, and that one asks for a password.
    ['/usr/bin/systemctl restart rachel8', 5, false],
    ['/usr/bin/id', -1, false],
    ['/usr/bin/true', -1, false],
  ])('says of %s whether it needs a password', (command, end, expected) => {
    expect(isPasswordless(readSudoList(LISTED).slice(0, end), command)).toBe(expected);
  });
});

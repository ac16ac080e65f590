import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { FleetFile } from './fleet-entry.ts';
import { FORMATS, type FileFormat } from '../facts/file-format.ts';
import { formatOf, readFleetFile } from './read-fleet-file.ts';
import type { VarsFile } from './ansible-fleet.ts';

const read = (format: FileFormat, text: string, varsFiles: VarsFile[] = []): FleetFile =>
  readFleetFile({ format, text, varsFiles });
/** `line alias {given}` of each entry. */
const entriesOf = (file: FleetFile) => ('entries' in file ? file.entries : file.problems);
const problemsOf = (file: FleetFile): string[] =>
  'problems' in file ? file.problems.map(({ line, reason }) => `${line}: ${reason}`) : [];

describe('a table', () => {
  it.each([
    ['commas', 'Customer,Host,Port\na@x.test,10.0.0.1,2222\n'],
    ['semicolons, as some spreadsheets write', 'customer;HOST;port\na@x.test;10.0.0.1;2222'],
    ['tabs', 'E-Mail\tip address\tssh_port\n\na@x.test\t10.0.0.1\t2222\n\t\t\n'],
  ])('with %s', (_, text) => {
    const [entry] = entriesOf(read('csv', text));
    expect(entry).toMatchObject({ given: { customer: 'a@x.test', host: '10.0.0.1', port: '2222' } });
  });

  it('has labels in one column, or one in each, and says what it does not use', () => {
    const file = read('csv', 'host,labels,label:Region,rack\n10.0.0.1,"canary, web",fsn1,7\n10.0.0.2,,,\n');
    expect(file).toEqual({
      entries: [
        { line: 2, alias: '10.0.0.1', given: { host: '10.0.0.1', labels: 'canary, web, Region=fsn1' } },
        { line: 3, alias: '10.0.0.2', given: { host: '10.0.0.2' } },
      ],
      notes: ['Columns not used: "rack".'],
    });
  });

  it.each([
    ['no column host', 'a,b\n1,2', '1: the first line has to name the columns, "host" among them; allowed: customer,'],
    ['two columns for one thing', 'host,ip\n1,2', '1: two columns stand for host'],
    [
      'a formula',
      'host,name\n10.0.0.1,x\n10.0.0.2,"=HYPERLINK(""http://x"")"',
      '3: name begins with "=", as a formula',
    ],
    ['more cells than columns', 'host\n10.0.0.1,x', '2: there are 2 cells, but the first line names 1 columns'],
    ['a quotation without an end', 'host\n"10.0.0.1\n10.0.0.2', 'this is no table with commas: Quote Not Closed'],
    [
      'too many rows',
      `host\n${'10.0.0.1\n'.repeat(100_000)}`,
      'null: the file has more than 10000 rows; allowed: up to',
    ],
  ])('is refused: %s', (_, text, problem) => {
    expect(problemsOf(read('csv', text)).join('\n')).toContain(problem);
  });
});

describe('a list', () => {
  it('is read with its lines, its numbers as texts, and labels in three shapes', () => {
    const file = read(
      'json',
      `[
\t{ "customer": "a@x.test", "host": "10.0.0.1", "port": 22, "labels": ["canary", "region=fsn1"] },
\t{ "host": "10.0.0.2", "labels": { "region": "fsn1", "canary": null }, "name": null },
\t{ "host": "10.0.0.3", "labels": "canary", "cost": 7, "name": "\\u00c5\\/b \\ud83d\\ude00" }
]`,
    );
    expect(file).toEqual({
      entries: [
        {
          line: 2,
          alias: '10.0.0.1',
          given: { customer: 'a@x.test', host: '10.0.0.1', port: '22', labels: 'canary, region=fsn1' },
        },
        { line: 3, alias: '10.0.0.2', given: { host: '10.0.0.2', labels: 'region=fsn1, canary' } },
        { line: 4, alias: 'Å/b 😀', given: { host: '10.0.0.3', labels: 'canary', name: 'Å/b 😀' } },
      ],
      notes: ['Names not used: "cost".'],
    });
  });

  it.each([
    ['no list', '{"a": 1}', '1: a list of VPSs is expected'],
    ['a list of something else', '[1,\n"x"]', '2: a VPS is an object with names and values; allowed names: customer'],
    ['an object for a text', '[{"host":\n{"a": 1}}]', '2: host is an object; allowed: a text or a number'],
    ['a name twice', '[{"host": "a",\n"host": "b"}]', '2: "host" stands here a second time'],
    ['two names for one thing', '[{"host": "a",\n"ip": "b"}]', '2: host is given twice, once as "ip"'],
    ['__proto__', '[{"host": "a",\n"__proto__": {"port": 1}}]', '2: __proto__ is no name that is used here'],
    ['constructor', '[{"constructor": {"prototype": 1}}]', '1: constructor is no name that is used here'],
    ['a formula', '[{"host": "a", "name": "@SUM(1)"}]', '1: name begins with "@", as a formula'],
    ['too many', `[${'{"host": "a"},'.repeat(10_001).slice(0, -1)}]`, 'null: the file has 10001 VPSs; allowed: up to'],
    ['depth', '['.repeat(100_000), '1: this nests too deeply; allowed: 32 levels'],
    ['depth in dashes', '- '.repeat(50_000), '1: this nests too deeply; allowed: 32 levels'],
    ['depth in keys', `${'? '.repeat(5_000)}a`, '1: this nests too deeply; allowed: 32 levels'],
    ['a billion laughs', laughs(), 'allowed: 32 levels|more than'],
    ['aliases without end', 'vps: &a\n  - *a', '2: *a stands for nothing that was named before'],
    ['many aliases', `a: &a x\nvps: [${'*a,'.repeat(2_000)}]`, '2: there are more than 1000 aliases'],
    ['too much', `- ${'a'.repeat(4_000_000)}`, 'null: the file has 4000002 letters; allowed: up to 3145728'],
    ['two documents', '[]\n---\n[]', '2: there is a second document; allowed: one in a file'],
  ])('is refused: %s', (_, text, problem) => {
    expect(problemsOf(read('json', text)).join('\n')).toMatch(new RegExp(problem.replaceAll(/[*()[\]{}+?.]/g, '\\$&')));
  });
});

/** Nine steps, each nine times the one before. */
function laughs(): string {
  const lines = ['l0: &l0 [lol]'];
  for (let step = 1; step <= 9; step++) lines.push(`l${step}: &l${step} [${`*l${step - 1},`.repeat(9)}]`);
  return [...lines, 'vps: *l9'].join('\n');
}

const INI = `
# the fleet
bastion ansible_connection=local
[web]
web[01:02].example.com ansible_user=deploy   # two
web9 ansible_host=203.0.113.9 wardround_name="Anna's \\"shop"

[db]
db-[a:b]

[production:children]
web
db

[production:vars]
ansible_user=ops
ansible_port = 2222
ansible_ssh_private_key_file="~/.ssh/fleet"
wardround_labels = provider=hetzner

[all:vars]
ansible_user=everyone
unused={{ lookup('x') }}
`;

describe('an inventory of Ansible', () => {
  it('in INI: ranges, groups as labels, the inner one over the outer one', () => {
    const file = read('ansible-ini', INI.replace(String.raw`\"shop`, 'shop'));
    const rest = { port: '2222', keyFile: '~/.ssh/fleet' };
    const [hetzner, web, db] = ['provider=hetzner', 'provider=hetzner, web', 'provider=hetzner, db'];
    expect(hetzner).toBeTruthy();
    expect(file).toEqual({
      entries: [
        {
          line: 5,
          alias: 'web01.example.com',
          given: { host: 'web01.example.com', user: 'deploy', ...rest, labels: web },
        },
        {
          line: 5,
          alias: 'web02.example.com',
          given: { host: 'web02.example.com', user: 'deploy', ...rest, labels: web },
        },
        {
          line: 6,
          alias: 'web9',
          given: { host: '203.0.113.9', user: 'ops', ...rest, name: "Anna's shop", labels: web },
        },
        { line: 9, alias: 'db-a', given: { host: 'db-a', user: 'ops', ...rest, labels: db } },
        { line: 9, alias: 'db-b', given: { host: 'db-b', user: 'ops', ...rest, labels: db } },
      ],
      notes: ['bastion is this machine itself (ansible_connection is local) and is left out.'],
    });
  });

  const YAML = `all:
  vars: &common { ansible_user: ops }
  children:
    web:
      hosts:
        web[1:2]: { <<: *common, ansible_host: 203.0.113.1 }
        web3:
          wardround_labels: { region: fsn1, canary: }
      vars: { wardround_service: shop.service }
    empty:
`;
  it('in YAML, with host_vars and group_vars over it', () => {
    const files: VarsFile[] = [
      {
        kind: 'group',
        name: 'web',
        file: 'group_vars/web.yml',
        text: 'wardround_service: cart.service\nansible_port: 23',
      },
      {
        kind: 'host',
        name: 'web3',
        file: 'host_vars/web3.yml',
        text: '---\nansible_port: 24\nansible_host: 203.0.113.3\n',
      },
      { kind: 'host', name: 'web1', file: 'host_vars/web1', text: '' },
    ];
    const common = { user: 'ops', service: 'cart.service' };
    expect(entriesOf(read('ansible-yaml', YAML, files))).toEqual([
      { line: 6, alias: 'web1', given: { host: '203.0.113.1', port: '23', ...common, labels: 'web' } },
      { line: 6, alias: 'web2', given: { host: '203.0.113.1', port: '23', ...common, labels: 'web' } },
      {
        line: 8,
        alias: 'web3',
        given: { host: '203.0.113.3', port: '24', ...common, labels: 'region=fsn1, canary, web' },
      },
    ]);
  });

  it('says in which file a mistake is', () => {
    const files: VarsFile[] = [
      { kind: 'host', name: 'web3', file: 'host_vars/web3.yml', text: 'a: 1\nansible_port: !vault |\n  x' },
    ];
    expect(read('ansible-yaml', YAML, files)).toEqual({
      problems: [
        {
          file: 'host_vars/web3.yml',
          line: 2,
          reason: 'ansible_port is !vault, which only Ansible can read; give it in plain text',
        },
      ],
    });
  });

  it.each<[string, FileFormat, string, string]>([
    [
      'a template',
      'ansible-ini',
      'h ansible_host="{{ ip }}"',
      '1: ansible_host is a template ("{{ ip }}"), which only',
    ],
    [
      'a jump host',
      'ansible-ini',
      'h ansible_ssh_common_args="-o ProxyJump=b"',
      '1: h is reached by way of another host',
    ],
    ['a range that is none', 'ansible-ini', 'h[1:x]', '1: "h[1:x]" is no range of hosts; allowed: such as web[01:20]'],
    ['a range of millions', 'ansible-ini', 'h[0:999999]', '"h[0:999999]" is no range of hosts'],
    ['ranges of ranges', 'ansible-ini', 'h[0:999][0:999]', '1: "h[0:999][0:999]" stands for more than 10000 hosts'],
    ['a quotation without an end', 'ansible-ini', "h ansible_host='x", '1: a quotation mark has no end here'],
    ['a word that is no variable', 'ansible-ini', 'h 10.0.0.1', '1: "10.0.0.1" is no variable; allowed: such as'],
    ['no host', 'ansible-ini', '[web]', 'null: the inventory names no host'],
    ['no map', 'ansible-yaml', '- a\n- b', '1: groups of hosts are expected'],
    ['a group that is none', 'ansible-yaml', 'all:\n  hosts: [a]', '2: hosts of all is no map of names and values'],
    ['bad YAML', 'ansible-yaml', 'all: {\n  a: [', '2:'],
  ])('is refused: %s', (_, format, text, problem) => {
    expect(problemsOf(read(format, text)).join('\n')).toContain(problem);
  });

  it('comes to an end where groups are children of one another', () => {
    const text = '[a]\nh\n[a:children]\nb\n[b:children]\na\n[b:vars]\nansible_user=x';
    expect(entriesOf(read('ansible-ini', text))).toMatchObject([{ given: { user: 'x', labels: 'a' } }]);
  });
});

describe('a configuration of an SSH client', () => {
  it('gives each host what holds for it, the first one first', () => {
    const text = `User early

Host web1 web2
  HostName %h.example.com
  # a comment
  IdentityFile "~/.ssh/web key"
Host *
  Port 2222
  User late
Host web* !web2
  Port 23
Host db
  HostName=203.0.113.5
  Port 5022
Match exec "touch /nowhere"
  User evil
Include other
`;
    expect(read('ssh-config', text.replace('User early\n\n', ''))).toEqual({
      entries: [
        {
          line: 1,
          alias: 'web1',
          given: { host: 'web1.example.com', port: '2222', user: 'late', keyFile: '~/.ssh/web key' },
        },
        {
          line: 1,
          alias: 'web2',
          given: { host: 'web2.example.com', port: '2222', user: 'late', keyFile: '~/.ssh/web key' },
        },
        { line: 10, alias: 'db', given: { host: '203.0.113.5', port: '2222', user: 'late' } },
      ],
      notes: ['Lines not used: "Match", "Include".'],
    });
    expect(entriesOf(read('ssh-config', text))).toMatchObject([
      { line: 3, given: { user: 'early' } },
      { given: { user: 'early' } },
      { given: { user: 'early' } },
    ]);
  });

  it.each([
    [
      'a jump host',
      'Host a\n  HostName b\nHost b\n  ProxyJump a',
      '3: b is reached by way of another host (proxyjump)',
    ],
    ['no host', 'Port 22', 'null: no line such as "Host web1" names a host'],
    ['a quotation without an end', 'Host "a\n', 'this is no configuration of an SSH client'],
    ['many patterns', 'Host *\n'.repeat(300) + 'Host a', '301 sections have a pattern; allowed: up to 200'],
  ])('is refused: %s', (_, text, problem) => {
    expect(problemsOf(read('ssh-config', text)).join('\n')).toContain(problem);
  });
});

describe('the format', () => {
  it.each<[FileFormat, string, string]>([
    ['csv', 'host,port\na,1', ''],
    ['csv', 'x', 'fleet.CSV'],
    ['json', '\n[\n{"host": 1}]', ''],
    ['json', '{"vps": []}', ''],
    ['ansible-ini', '# x\n[web]\nh', ''],
    ['ansible-ini', 'h ansible_host=1', 'hosts'],
    ['ansible-yaml', '---\nall:\n  hosts:', ''],
    ['ansible-yaml', 'all:\n  hosts:', ''],
    ['ssh-config', '# x\nHost a\n  User b', ''],
    ['ssh-config', 'User x\nhost=a', 'config'],
  ])('is %s', (format, text, name) => {
    expect(formatOf(text, name)).toBe(format);
  });
});

/** Pieces that mean something to one of the parsers, in every order. */
const piece = fc.constantFrom(
  ...[
    '\n',
    ' ',
    '\t',
    ',',
    ';',
    ':',
    '=',
    '"',
    "'",
    '#',
    '\\',
    '[',
    ']',
    '{',
    '}',
    '- ',
    '? ',
    '&a ',
    '*a',
    '<<: ',
    '|',
  ],
  ...[
    'Host ',
    'Match ',
    'all:',
    'hosts:',
    'vars:',
    'children:',
    'host',
    'port',
    '22',
    'h[1:3]',
    '[a:vars]',
    '__proto__',
  ],
  ...['!vault ', '%YAML 1.2\n', '---\n', '...', '@', '~', '\u00a0', '\u2028', '\ud800', '💥', '>-\n  ', '!!binary '],
);
const anyText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 200 }),
  fc.array(piece, { maxLength: 120 }).map((pieces) => pieces.join('')),
);

describe('whatever a file says', () => {
  it.each(FORMATS)('%s is read or refused, and never throws', (format) => {
    fc.assert(
      fc.property(anyText, (text) => {
        const file = read(format, text, [{ kind: 'host', name: 'host', file: 'f', text }]);
        if ('problems' in file) {
          expect(file.problems.length).toBeGreaterThan(0);
          for (const { reason } of file.problems) expect(reason.length).toBeLessThan(500);
        } else for (const { given } of file.entries) expect(Object.getPrototypeOf(given)).toBe(Object.prototype);
      }),
      { numRuns: 400 },
    );
    expect(({} as { port?: unknown }).port).toBeUndefined();
  });

  const PIECES = [
    'a',
    ' ',
    '\n',
    '[',
    '{',
    '- ',
    '? ',
    '"',
    "'",
    '&a ',
    '*a ',
    '#',
    ':',
    'a: ',
    'Host a\n',
    'Host *\n',
  ];
  it.each(FORMATS)('%s takes a second for a long one at most', (format) => {
    const texts = [
      ...PIECES,
      'a=',
      ',',
      ';',
      '\\',
      '|\n ',
      '[a]\n',
      'h[1:9]',
      '\t',
      '!x ',
      '%',
      '@',
      '`',
      '>',
      'a:\n',
    ].map((one) => one.repeat(20_000 / one.length));
    // Each letter is a mistake: to go on after the first ones, as the parser does, takes several seconds.
    const mistakes = [`[${','.repeat(200_000)}`, '[a]\n'.repeat(50_000), `a: ${'""\n"\n'.repeat(40_000)}`];
    const slow: string[] = [];
    for (const text of [...texts, ...mistakes]) {
      const beganMs = performance.now();
      const file = read(format, text);
      const ms = performance.now() - beganMs;
      if (ms > 1_000) slow.push(`${JSON.stringify(text.slice(0, 9))}: ${Math.round(ms)} ms`);
      if ('problems' in file) expect(file.problems.length).toBeLessThanOrEqual(60);
    }
    expect(slow).toEqual([]);
  });
});

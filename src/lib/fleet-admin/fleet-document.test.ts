import { resolve } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fleetFileSchema } from './fleet-document.ts';
import { readFleetDocument } from './read-document.ts';

const NOW = new Date('2026-06-15T12:00:00Z');
const read = (text: string) => readFleetDocument(text, NOW);
const problemsOf = (text: string): string => {
  const found = read(text);
  return 'problems' in found ? found.problems.map(({ line, reason }) => `${line}: ${reason}`).join('\n') : '';
};

it('has the schema that is published for editors (vitest -u writes it)', async () => {
  const file = resolve('static/fleet-file.schema.json');
  await expect(`${JSON.stringify(fleetFileSchema(), null, 2)}\n`).toMatchFileSnapshot(file);
});

describe('a fleet file', () => {
  it('is read whole: defaults, labels in three shapes, windows by label, routes', () => {
    const text = `
version: 1
defaults: { user: deploy, port: 2222, service: shop.service, key: keys/fleet }
customers:
  - email: Later@example.test
vps:
  - customer: anna@example.test
    name: Anna's Shop
    host: 203.0.113.7
    labels: { region: fsn1, canary: }
    note: mind the "disk"
    maintenance:
      - { weekly: sun 02:00, for: 2h, time_zone: Europe/Oslo, reason: updates }
      - { from: 2026-06-20T01:00, until: 2026-06-20T03:00, time_zone: Europe/Oslo }
      - { from: 2026-06-01, for: 1d }
  - { customer: bob@example.test, host: "2001:db8::1", port: "22", user: root, service: app, key: keys/bob, labels: [canary] }
maintenance:
  - { label: region=fsn1, from: 2026-07-01T00:00Z, for: 90m }
notifications:
  - { user: anna@example.test, channel: webhook, address: https://x.example/hook, kinds: [up, down] }
  - { user: ops@example.test, channel: email, enabled: false }
`;
    const region = { name: 'region', value: 'fsn1' };
    const canary = { name: 'canary', value: '' };
    expect(read(text)).toEqual({
      fleet: {
        customers: [{ line: 5, email: 'later@example.test', name: null }],
        vps: [
          {
            line: 7,
            email: 'anna@example.test',
            name: "Anna's Shop",
            host: '203.0.113.7',
            port: 2222,
            user: 'deploy',
            service: 'shop.service',
            keyFile: 'keys/fleet',
            hostKey: null,
            labels: [canary, region],
            note: 'mind the "disk"',
            windows: [
              {
                kind: 'weekly',
                weekday: 0,
                startMinute: 120,
                durationMinutes: 120,
                timeZone: 'Europe/Oslo',
                reason: 'updates',
              },
              {
                kind: 'once',
                startsAt: new Date('2026-06-19T23:00Z'),
                endsAt: new Date('2026-06-20T01:00Z'),
                reason: null,
              },
              {
                kind: 'once',
                startsAt: new Date('2026-07-01T00:00Z'),
                endsAt: new Date('2026-07-01T01:30Z'),
                reason: null,
              },
            ],
          },
          {
            line: 16,
            email: 'bob@example.test',
            name: null,
            host: '2001:db8::1',
            port: 22,
            user: 'root',
            service: 'app',
            keyFile: 'keys/bob',
            hostKey: null,
            labels: [canary],
            note: null,
            windows: [],
          },
        ],
        routes: [
          {
            line: 20,
            email: 'anna@example.test',
            channel: 'webhook',
            enabled: true,
            kinds: 'down, up',
            address: 'https://x.example/hook',
          },
          { line: 21, email: 'ops@example.test', channel: 'email', enabled: false, kinds: 'all', address: '' },
        ],
      },
    });
  });

  it('says nothing of notifications where it has no such part', () => {
    expect(read('version: 1')).toEqual({ fleet: { customers: [], vps: [], routes: null } });
  });

  const VPS = 'version: 1\nvps:\n  - customer: a@x.test\n    host: 10.0.0.1\n';
  it.each([
    ['no map', '- 1', '1: a fleet file begins with "version: 1"'],
    ['another version', 'version: 2', '1: the version of a fleet file is 1'],
    ['no version', 'vps: []', '1: the version of a fleet file is 1'],
    ['a part that is none', 'version: 1\nvsp: []', '2: "vsp" is no part of a fleet file; allowed: version, defaults,'],
    ['no list', 'version: 1\nvps: {}', '2: vps is a list'],
    [
      'a name that has no meaning',
      `${VPS}    prot: 22`,
      '5: "prot" has no meaning here; allowed: customer, name, host, port',
    ],
    ['a wrong value', `${VPS}    port: 0x16`, '5: port is "0x16"; allowed: a whole number from 1 to 65535'],
    ['a missing value', 'version: 1\nvps:\n  - host: 10.0.0.1', '3: customer is missing; allowed: the e-mail address'],
    ['a list for a text', `${VPS}    user: [a]`, '5: user is no text or number'],
    [
      'two VPSs of a customer',
      `${VPS}  - customer: A@x.test\n    host: b`,
      '5: the customer a@x.test stands in line 3 already',
    ],
    [
      'two VPSs at an address',
      `${VPS}  - customer: b@x.test\n    host: 10.0.0.1`,
      '5: the address 10.0.0.1 port 22 stands in line 3',
    ],
    ['two labels of a name', `${VPS}    labels: a=1, a=2`, '5: labels is "a=1, a=2"; allowed: up to 16 labels'],
    ['a window of no kind', `${VPS}    maintenance: [{ for: 2h }]`, '5: a window has either "weekly", or "from"'],
    [
      'a weekly window with an end',
      `${VPS}    maintenance: [{ weekly: sun 02:00, for: 1h, until: x }]`,
      '5: a weekly window has a',
    ],
    [
      'a weekly window too long',
      `${VPS}    maintenance: [{ weekly: sun 02:00, for: 7d }]`,
      '5: for is "7d"; allowed: with weekly',
    ],
    [
      'a window with two ends',
      `${VPS}    maintenance: [{ from: 2026-07-01, for: 1h, until: 2026-07-02 }]`,
      '5: a window that begins',
    ],
    [
      'a window that ends before',
      `${VPS}    maintenance: [{ from: 2026-07-02, until: 2026-07-01 }]`,
      '5: until is "2026-07-01"; allowed',
    ],
    [
      'a time that is none',
      `${VPS}    maintenance: [{ from: tomorrow, for: 1h }]`,
      '5: from is "tomorrow"; allowed: a time such as',
    ],
    ['__proto__', `${VPS}    __proto__: {}`, '5: __proto__ is no name that is used here'],
    ['too many', `version: 1\nvps: [${'{},'.repeat(10_001)}]`, '2: vps has 10001 entries; allowed: up to 10000'],
  ])('is refused: %s', (_, text, problem) => {
    expect(problemsOf(text)).toContain(problem);
  });

  const piece = fc.constantFrom(
    ...[
      'version: 1\n',
      'vps:\n',
      '  - ',
      '    ',
      'customer: a@x.test\n',
      'host: h\n',
      'labels: ',
      '[a, b]\n',
      '{ c: d }\n',
    ],
    ...[
      'maintenance:\n',
      'weekly: sun 02:00\n',
      'for: 1h\n',
      'from: 2026-07-01\n',
      'until: ',
      'defaults:\n',
      'port: 1\n',
      '&a ',
      '*a\n',
    ],
    ...[
      'notifications:\n',
      'channel: email\n',
      'user: ',
      'kinds: ',
      'null\n',
      '~\n',
      ': ',
      '\n',
      '"',
      '__proto__: 1\n',
      '💥',
    ],
  );
  it('is read or refused, whatever it says', () => {
    const text = fc.array(piece, { maxLength: 40 }).map((pieces) => pieces.join(''));
    fc.assert(
      fc.property(
        fc.oneof(
          text,
          text.map((one) => `version: 1\n${one}`),
          fc.string(),
        ),
        (one) => void read(one),
      ),
      { numRuns: 500 },
    );
    expect(({} as { weekly?: unknown }).weekly).toBeUndefined();
  });
});

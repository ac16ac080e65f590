import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { parse } from 'yaml';
import { openApp, type App } from '../src/lib/app.ts';
import { LOCAL_OPERATOR } from '../src/lib/auth/actor.ts';
import { write } from '../src/lib/db/client.ts';
import { healthEvents, subscriptions, users, vpsLabels } from '../src/lib/db/schema.ts';
import { applyFleet, planFleet, readKeys, type Wanted } from '../src/lib/fleet-admin/apply-fleet.ts';
import { makeAuthority } from '../src/lib/fleet-admin/authority.ts';
import { exportFleet, fleetYaml } from '../src/lib/fleet-admin/export-fleet.ts';
import { readFleetDocument } from '../src/lib/fleet-admin/read-document.ts';
import { changeInWords } from '../src/lib/views/fleet-change-words.ts';
import { makeLogin, startVps, type SimulatedVps } from './support/fleet.ts';
import { endWith, runCli, runCliWith, scratchEnvironment, startServer, type CliResult } from './support/project.ts';

let scratch: ReturnType<typeof scratchEnvironment>;
let login: ReturnType<typeof makeLogin>;
let app: App;

beforeEach(async () => {
  scratch = scratchEnvironment({ ENABLE_HEALTH_MONITOR: 'false' });
  login = makeLogin(scratch.folder);
  app = await openApp(scratch.environment, 'server');
});
afterEach(() => {
  app.close();
  scratch.remove();
});

function wantedOf(text: string, prune = false): Wanted {
  const read = readFleetDocument(text, new Date());
  if ('problems' in read) throw new Error(JSON.stringify(read.problems));
  const keys = readKeys(read.fleet, (file) => ({ text: readFileSync(join(scratch.folder, file ?? ''), 'utf8') }));
  if ('problems' in keys) throw new Error(JSON.stringify(keys.problems));
  return { fleet: read.fleet, keys: keys.keys, prune };
}
/** What is different, in words; all of it is done. */
async function apply(text: string, { prune = false } = {}): Promise<string[]> {
  const wanted = wantedOf(text, prune);
  const plan = planFleet(app, wanted, new Date());
  await applyFleet(app, LOCAL_OPERATOR, wanted, plan);
  return plan.changes.map(changeInWords);
}
const kept = (text: string): string[] => planFleet(app, wantedOf(text), new Date()).kept.map(changeInWords);
const exported = (): string => fleetYaml(exportFleet(app, LOCAL_OPERATOR, new Date()), 'http://localhost');

const HOST_KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdr4Wr0m2oUPrfnDkK5VbNYQSuMTtTxQZd1TGvSFY6e';
const FLEET = `
version: 1
defaults: { key: login.key }
customers: [{ email: later@x.test, name: Later }]
vps:
  - customer: anna@x.test
    name: Anna
    host: 203.0.113.7
    user: deploy
    host_key: ${HOST_KEY}
    labels: [canary, region=fsn1]
    maintenance: [{ weekly: sun 02:00, for: 2h, time_zone: Europe/Oslo, reason: updates }]
  - { customer: bob@x.test, host: 203.0.113.8, port: 2222, service: app.service, labels: [region=fsn1] }
maintenance: [{ label: region=fsn1, from: 2096-07-01T00:00Z, for: 90m }]
notifications:
  - { user: bob@x.test, channel: email, kinds: [down, up], address: ops@x.test }
`;

describe('a fleet file that is applied', () => {
  it('may name VPSs that are logged in to by certificate: they wait until they trust the fleet', async () => {
    const file = 'version: 1\nvps: [{ customer: anna@x.test, host: 203.0.113.7, key: certificate }]\n';
    await expect(apply(file)).rejects.toThrow(/authority/);
    await makeAuthority(app, LOCAL_OPERATOR);
    await apply(file);
    expect(app.db.select().from(subscriptions).all()).toMatchObject([
      { sshLogin: 'certificate', sshPrivateKey: null, sshKeyId: null, provisioningStatus: 'pending' },
    ]);
    expect(exported()).toContain('key: certificate');
    expect(await apply(exported())).toEqual([]);
  });
  it('makes the fleet what it says, and the second time changes nothing', async () => {
    expect(await apply(FLEET)).toEqual([
      '+ customer later@x.test, Later',
      `+ VPS 203.0.113.7 (anna@x.test): port 22, user deploy, name Anna, host key ${HOST_KEY}, labels canary, region=fsn1`,
      '+ maintenance of 203.0.113.7 (anna@x.test): every sun 02:00 Europe/Oslo for 120 min (updates)',
      '+ maintenance of 203.0.113.7 (anna@x.test): from 2096-07-01 00:00 to 2096-07-01 01:30 UTC',
      '+ VPS 203.0.113.8 (bob@x.test): port 2222, user root, service app.service, labels region=fsn1',
      '+ maintenance of 203.0.113.8 (bob@x.test): from 2096-07-01 00:00 to 2096-07-01 01:30 UTC',
      '~ email to bob@x.test: enabled none → true, kinds none → down, up, address none → ops@x.test',
    ]);
    expect(app.db.select().from(subscriptions).all()).toMatchObject([
      {
        vpsIpAddress: '203.0.113.7',
        sshPort: 22,
        sshUser: 'deploy',
        sshHostKey: HOST_KEY,
        provisioningStatus: 'ready',
      },
      { vpsIpAddress: '203.0.113.8', sshPort: 2222, sshUser: 'root', serviceName: 'app.service', sshHostKey: null },
    ]);
    const before = app.db.select().from(healthEvents).all();
    expect(await apply(FLEET, { prune: true })).toEqual([]);
    expect(app.db.select().from(healthEvents).all()).toEqual(before);
  });

  it('is what export writes: without secrets, and applied it changes nothing, pruning or not', async () => {
    await apply(FLEET);
    const text = exported();
    expect(await apply(text)).toEqual([]);
    expect(await apply(text, { prune: true })).toEqual([]);
    expect(text).not.toContain('PRIVATE KEY');
    expect(text).not.toContain('login.key');
    expect(parse(text)).toEqual({
      version: 1,
      customers: [{ email: 'later@x.test', name: 'Later' }],
      vps: [
        {
          customer: 'anna@x.test',
          name: 'Anna',
          host: '203.0.113.7',
          user: 'deploy',
          host_key: HOST_KEY,
          labels: ['canary', 'region=fsn1'],
          maintenance: [
            { from: '2096-07-01T00:00:00Z', until: '2096-07-01T01:30:00Z' },
            { weekly: 'sun 02:00', for: '120m', time_zone: 'Europe/Oslo', reason: 'updates' },
          ],
        },
        {
          customer: 'bob@x.test',
          host: '203.0.113.8',
          port: 2222,
          service: 'app.service',
          labels: ['region=fsn1'],
          maintenance: [{ from: '2096-07-01T00:00:00Z', until: '2096-07-01T01:30:00Z' }],
        },
      ],
      notifications: [{ user: 'bob@x.test', channel: 'email', kinds: ['down', 'up'], address: 'ops@x.test' }],
    });
    // The same file makes the same fleet elsewhere, but for the keys, which it does not have.
    expect(() => planFleet(app, wantedOf(text.replaceAll('anna@', 'other@')), new Date())).toThrow(
      /is new and needs a key/,
    );
  });

  it('survives names and labels that look like something else in YAML', async () => {
    await apply(FLEET);
    const odd = ['null', '~', 'true', '1e3', 'O\'Neil: "x" # no', ' - a', '&a *b', '💥', '2026-01-01', '{}', '%YAML'];
    for (const name of odd) {
      await write(app.db, (tx) => tx.update(users).set({ name: name.trim() }).run());
      await write(app.db, (tx) => tx.update(vpsLabels).set({ value: '0x1f' }).run());
      expect(await apply(exported(), { prune: true })).toEqual([]);
    }
  });

  it('changes what differs, and removes what it does not name only when it is asked to', async () => {
    await apply(FLEET);
    const less = `
version: 1
vps:
  - customer: anna@x.test
    host: 203.0.113.7
    user: root
    labels: [region=hel1]
notifications: []
`;
    const expected = [
      'VPS 203.0.113.8 (bob@x.test), with its state',
      'labels of 203.0.113.7 (anna@x.test): canary',
      'maintenance of 203.0.113.7 (anna@x.test): from 2096-07-01 00:00 to 2096-07-01 01:30 UTC',
      'maintenance of 203.0.113.7 (anna@x.test): every sun 02:00 Europe/Oslo for 120 min (updates)',
      'email to bob@x.test, with its secret',
    ];
    expect(kept(less)).toEqual(expected.map((one) => `- ${one}`));
    expect(await apply(less)).toEqual([
      '~ VPS 203.0.113.7 (anna@x.test): user deploy → root, labels canary, region=fsn1 → canary, region=hel1',
    ]);
    expect(kept(less)).toEqual(expected.map((one) => `- ${one}`));
    expect(await apply(less, { prune: true })).toEqual([
      `- ${expected[0]}`,
      '~ VPS 203.0.113.7 (anna@x.test): labels canary, region=hel1 → region=hel1',
      ...expected.slice(2).map((one) => `- ${one}`),
    ]);
    expect(parse(exported())).toMatchObject({
      vps: [{ customer: 'anna@x.test', name: 'Anna', host: '203.0.113.7', labels: ['region=hel1'] }],
      notifications: [],
    });
    expect(await apply(less, { prune: true })).toEqual([]);
  });

  it('notices another key and another machine, and never shows a key', async () => {
    await apply(FLEET);
    writeFileSync(join(scratch.folder, 'other.key'), makeLogin(scratch.folder).privateKey);
    const said = await apply(FLEET.replace('login.key', 'other.key').replace('203.0.113.8', '203.0.113.9'));
    expect(said).toEqual([
      '~ VPS 203.0.113.7 (anna@x.test): another key (other.key)',
      '~ VPS 203.0.113.9 (bob@x.test): host 203.0.113.8 → 203.0.113.9, another key (other.key)',
    ]);
  });

  it('is done as a whole or not at all', async () => {
    await apply(FLEET);
    const before = exported();
    const bad =
      FLEET.replace('port: 2222', 'port: 22').replace('203.0.113.8', 'h8.test') +
      '  - { user: anna@x.test, channel: webhook, address: "https://x.example/hook" }\n';
    await expect(apply(bad)).rejects.toThrow('line 17: webhook has no secret to sign with');
    expect(exported()).toBe(before);
    const nobody = FLEET.replace('user: bob@x.test', 'user: nobody@x.test');
    await expect(apply(nobody)).rejects.toThrow('line 16: there is no user nobody@x.test');
  });

  it('is refused where the fleet has changed since it was planned', async () => {
    await apply(FLEET);
    const wanted = wantedOf(FLEET.replace('user: deploy', 'user: admin'));
    const plan = planFleet(app, wanted, new Date());
    await apply(FLEET.replace('port: 2222', 'port: 2223'));
    await expect(applyFleet(app, LOCAL_OPERATOR, wanted, plan)).rejects.toThrow(
      'the fleet has changed since this was planned',
    );
  });
});

describe('wardround apply and export', () => {
  const wardround = (...args: string[]): Promise<CliResult> => runCli(scratch.environment, ...args);

  it('shows the difference, in words and as JSON, and changes nothing with --plan', async () => {
    const file = join(scratch.folder, 'fleet.yaml');
    writeFileSync(file, FLEET);
    const plan = await wardround('apply', file, '--plan');
    expect(plan).toMatchObject({ exitCode: 0, stderr: '' });
    expect(plan.stdout).toContain('6 to add, 1 to change.');
    const planned = await wardround('apply', file, '--plan', '--json');
    expect(JSON.parse(planned.stdout)).toMatchObject({ applied: false, changes: { length: 7 }, kept: [] });
    expect(planned.stdout).not.toContain('PRIVATE KEY');
    expect(app.db.select().from(users).all()).toEqual([]);
    expect((await wardround('apply', file, '--yes')).stdout).toContain('Done. The next sweep looks at what is new.');
    const again = await wardround('apply', file, '--json');
    expect(JSON.parse(again.stdout)).toEqual({ applied: true, changes: [], kept: [] });
    const json = await wardround('export', '--json');
    expect((await runCliWith(json.stdout, scratch.environment, 'apply', '-', '--prune')).stdout).toBe(
      'The fleet is what the file says: nothing to change.\n',
    );
    expect((await wardround('export')).stdout).toBe(exported().replace('http://localhost/', `${app.settings.origin}/`));
  });

  it('says of each line what is wrong with it, and of a key that cannot be read', async () => {
    const result = await runCliWith(
      'version: 1\nvps: [{ host: "10.0.0.300", customer: a@x.test }]',
      scratch.environment,
      'apply',
      '-',
    );
    expect(result).toMatchObject({ exitCode: 1, stdout: '' });
    expect(result.stderr).toMatch(/^error: line 2: host is "10\.0\.0\.300"; allowed: an IP address/);
    const file = join(scratch.folder, 'fleet.yaml');
    writeFileSync(file, FLEET.replace('login.key', 'nowhere.key'));
    expect((await wardround('apply', file)).stderr).toContain(
      'line 6: the key file nowhere.key cannot be read (ENOENT)',
    );
  });

  it('works while two servers run on the same database, which then watch what is new', async () => {
    const environment = { ...scratch.environment, ENABLE_HEALTH_MONITOR: 'true', HEALTH_CHECK_CRON: '* * * * * *' };
    const fleet: SimulatedVps[] = [];
    for (let index = 0; index < 6; index++) fleet.push(await startVps(login.publicKey));
    const servers = await Promise.all([startServer(environment), startServer(environment)]);
    onTestFinished(async () => {
      for (const server of servers) await endWith(server, 'SIGKILL');
      for (const { host } of fleet) await host.close();
    });
    const file = join(scratch.folder, 'fleet.yaml');
    const vps = fleet.map(
      ({ host }, index) => `  - { customer: c${index}@x.test, host: 127.0.0.1, port: ${host.port} }`,
    );
    const said = (count: number) =>
      `version: 1\ndefaults: { key: login.key, user: test }\nvps:\n${vps.slice(0, count).join('\n')}\n`;
    for (const count of [2, 4, 6]) {
      writeFileSync(file, said(count));
      expect(await wardround('apply', file, '--yes')).toMatchObject({ exitCode: 0, stderr: '' });
    }
    await expect
      .poll(async () => {
        const { stdout } = await wardround('vps', 'list', '--json');
        return (JSON.parse(stdout) as { status: string }[]).map(({ status }) => status);
      })
      .toEqual(Array(6).fill('healthy'));
    writeFileSync(file, said(3));
    await wardround('apply', file, '--yes', '--prune');
    expect(JSON.parse((await wardround('vps', 'list', '--json')).stdout)).toHaveLength(3);
    for (const server of servers) expect(server.output()).not.toMatch(/error|failed/i);
  });
});

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ImportResult } from '../src/lib/facts/import-result.ts';
import { makeLogin, startVps, type SimulatedVps } from './support/fleet.ts';
import { runCli, runCliWith, scratchEnvironment, type CliResult } from './support/project.ts';

let scratch: ReturnType<typeof scratchEnvironment>;
let login: ReturnType<typeof makeLogin>;
let running: SimulatedVps[] = [];

beforeEach(async () => {
  scratch = scratchEnvironment({ SSH_CONNECT_TIMEOUT_MS: '2000' });
  login = makeLogin(scratch.folder);
  running = await Promise.all([startVps(login.publicKey), startVps(login.publicKey, { unit: 'inactive' })]);
});
afterEach(async () => {
  for (const { host } of running) await host.close();
  scratch.remove();
});

const portOf = (index: number): number => running[index]?.host.port ?? 0;
const wardround = (...args: string[]): Promise<CliResult> => runCli(scratch.environment, ...args);
const given = (name: string, text: string): string => {
  const file = join(scratch.folder, name);
  writeFileSync(file, text);
  return file;
};
const resultsOf = ({ stdout }: CliResult): string[] =>
  (JSON.parse(stdout) as { results: ImportResult[] }).results.map(
    ({ line, email, outcome }) => `${line} ${email} ${outcome}`,
  );
type Listed = {
  email: string;
  host: string;
  port: number;
  user: string;
  labels: string[];
  hostKeyFingerprint: string | null;
};
const listed = async (): Promise<Listed[]> => JSON.parse((await wardround('vps', 'list', '--json')).stdout) as Listed[];

/** An inventory with its variables beside it. */
function inventory(more = ''): string {
  const folder = join(scratch.folder, 'ansible');
  for (const name of ['host_vars', 'group_vars']) mkdirSync(join(folder, name), { recursive: true });
  writeFileSync(join(folder, 'hosts.ini'), `[web]\nWeb_1\nweb2 ansible_port=${portOf(1)}\n${more}\n`);
  writeFileSync(join(folder, 'group_vars/web.yml'), 'ansible_host: 127.0.0.1\nansible_user: test\n');
  writeFileSync(join(folder, 'group_vars/all'), `ansible_ssh_private_key_file: ../login.key\n`);
  writeFileSync(
    join(folder, 'host_vars/Web_1.yml'),
    `ansible_port: ${portOf(0)}\nwardround_labels: { region: fsn1 }\n`,
  );
  return folder;
}
const CUSTOMER = ['--customer', '{name}@example.test'] as const;

describe('wardround vps import', () => {
  it('adds the machines of an Ansible inventory, each tried and its host key pinned, and finds them there again', async () => {
    const folder = inventory();
    const result = await wardround('vps', 'import', folder, ...CUSTOMER, '--labels', 'new', '--json');
    expect(resultsOf(result)).toEqual(['2 web_1@example.test added', '3 web2@example.test added']);
    expect(result.exitCode).toBe(0);
    expect(await listed()).toMatchObject([
      { email: 'web_1@example.test', port: portOf(0), user: 'test', labels: ['new', 'region=fsn1', 'web'] },
      { email: 'web2@example.test', port: portOf(1), labels: ['new', 'web'] },
    ]);
    for (const { hostKeyFingerprint } of await listed()) expect(hostKeyFingerprint).toMatch(/^SHA256:/);
    const again = await wardround('vps', 'import', folder, ...CUSTOMER);
    expect(again).toMatchObject({ exitCode: 0 });
    expect(again.stdout).toContain('2 are in the fleet already.');
    expect(running.map((vps) => vps.logins())).toEqual([1, 1]);
  });

  it('adds nothing where one does not work, unless the good ones are asked for', async () => {
    const { host } = running[1] ?? {};
    await host?.refuse();
    const file = given(
      'fleet.csv',
      `customer;host;port;user;key_file\na@x.test;127.0.0.1;${portOf(0)};test;login.key\nb@x.test;127.0.0.1;${portOf(1)};test;login.key\n`,
    );
    const all = await wardround('vps', 'import', file);
    expect(all.exitCode).toBe(1);
    expect(all.stdout).toMatch(/^3 +127\.0\.0\.1:\d+ +b@x\.test +Does not work +.*refused/m);
    expect(all.stdout).toContain('Nothing was added: 1 VPS would work, but not all of them do.');
    expect(await listed()).toEqual([]);
    const dry = await wardround('vps', 'import', file, '--dry-run', '--json');
    expect(resultsOf(dry)).toEqual(['2 a@x.test good', '3 b@x.test failed']);
    expect(await listed()).toEqual([]);
    const good = await wardround('vps', 'import', file, '--good-ones', '--json');
    expect(resultsOf(good)).toEqual(['2 a@x.test added', '3 b@x.test failed']);
    expect(good.exitCode).toBe(1);
    expect((await listed()).map(({ email }) => email)).toEqual(['a@x.test']);
  });

  it('reads standard input, and the configuration of an SSH client', async () => {
    const text = `Host web\n  HostName 127.0.0.1\n  Port ${portOf(0)}\n  User test\n`;
    const args = ['vps', 'import', '-', ...CUSTOMER, '--key-file', login.keyFile, '--json'];
    const result = await runCliWith(text, scratch.environment, ...args);
    expect(resultsOf(result)).toEqual(['1 web@example.test added']);
  });

  it('names every mistake by its line before anything is tried', async () => {
    const line = `,127.0.0.1,${portOf(0)},test,login.key,`;
    const file = given(
      'fleet.csv',
      [
        'customer,host,port,user,key_file,labels',
        `a@x.test${line}ok`,
        `a@x.test,127.0.0.2,22,test,login.key,`,
        `c@x.test${line}`,
        'd@x.test,10.0.0.300,0x16,test,login.key,<b>',
        'e@x.test,10.0.0.1,22,test,nowhere.key,',
        ',10.0.0.2,22,test,login.key,',
      ].join('\n'),
    );
    const result = await wardround('vps', 'import', file);
    expect(result).toMatchObject({ exitCode: 1, stdout: '' });
    const said = result.stderr.split('\n');
    expect(
      said.find((one) => one.startsWith('error: line 3: the customer a@x.test has a VPS in line 2')),
    ).toBeDefined();
    expect(said.find((one) => one.startsWith('error: line 4: the address 127.0.0.1:'))).toBeDefined();
    expect(said.filter((one) => one.startsWith('error: line 5: 10.0.0.300: ')).join('\n')).toMatch(
      /host is "10\.0\.0\.300"; allowed.*\n.*port is "0x16"; allowed.*\n.*labels is "<b>"; allowed/,
    );
    expect(result.stderr).toContain(
      'line 6: 10.0.0.1: the key file nowhere.key cannot be read (ENOENT); --key-file names',
    );
    expect(result.stderr).toContain(
      'line 7: 10.0.0.2: customer is missing; name it in the file, or give an address for all',
    );
    expect(running.map((vps) => vps.logins())).toEqual([0, 0]);
  });

  it.each([
    ['a file that is not there', 'nowhere', 'nowhere cannot be read (ENOENT); allowed: the path of a file'],
    ['a file in UTF-16', Buffer.from('\ufeffhost', 'utf16le'), 'is written in UTF-16; save it as UTF-8'],
    ['a folder without an inventory', null, 'is a folder with no inventory in it'],
  ])('refuses %s', async (_, content, problem) => {
    const file =
      typeof content === 'string'
        ? content
        : content === null
          ? scratch.folder
          : given('f.csv', content.toString('latin1'));
    if (Buffer.isBuffer(content)) writeFileSync(file, content);
    const result = await wardround('vps', 'import', file);
    expect(result).toMatchObject({ exitCode: 2, stdout: '' });
    expect(result.stderr).toContain(problem);
  });
});

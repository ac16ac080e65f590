import { execFileSync } from 'node:child_process';
import { createPublicKey, verify } from 'node:crypto';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eq } from 'drizzle-orm';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { App } from '../src/lib/app.ts';
import { LOCAL_OPERATOR } from '../src/lib/auth/actor.ts';
import { authorityPlace, DecryptionError, decryptToken } from '../src/lib/crypto/encryption.ts';
import { healthChecks, sshAuthorities, subscriptions } from '../src/lib/db/schema.ts';
import { beginRotation, certificateLines, finishRotation, makeAuthority } from '../src/lib/fleet-admin/authority.ts';
import { addNotReady, boardVps, certificateLinesOf, loginLineOf, tryVps } from '../src/lib/fleet-admin/board.ts';
import { editVps } from '../src/lib/fleet-admin/edit-vps.ts';
import { parseVps, parseVpsEdit, type NewVps } from '../src/lib/fleet-admin/new-vps.ts';
import { principalOf } from '../src/lib/monitoring/certificate-login.ts';
import { inTerminal } from '../src/lib/parsing/problems.ts';
import { authorityLine, certify, makeAuthorityKey, type CertificateOrder } from '../src/lib/provisioning/authority.ts';
import { BRIDGE, confinedTo, contractCommands, NOT_ALLOWED } from '../src/lib/provisioning/rules/contract-commands.ts';
import { certificateBody, certificateInLine, readCertificate } from '../src/lib/provisioning/rules/certificate.ts';
import { execSSHCommand } from '../src/lib/provisioning/ssh-exec.ts';
import { SSHSession } from '../src/lib/provisioning/ssh-session.ts';
import { createAdmin, post, signIn } from './support/accounts.ts';
import { endWith, runCli, scratchEnvironment, startServer } from './support/project.ts';
import { listVps } from '../src/lib/views/fleet-read.ts';
import { openScratchApp, startTestHost, stateOf, sweepOnce } from './support/scratch-app.ts';
import { createKeyPair, type SshHost } from './support/sshd.ts';

const MINUTE_MS = 60_000;
const AUTHORITY = makeAuthorityKey();
const PRINCIPAL = 'wardround-vps-1';
const ORDER: CertificateOrder = {
  principal: PRINCIPAL,
  forceCommand: confinedTo([BRIDGE, ...Object.values(contractCommands('rachel8'))]),
  sourceAddress: null,
};

function scratchFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'wardround-ca-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

describe('what ssh-keygen says of a certificate', () => {
  it('is what was ordered: three minutes, one principal, one command, no extension', () => {
    const file = join(scratchFolder(), 'made-cert.pub');
    const nowMs = Date.parse('2026-11-26T10:00:00Z');
    const order = { ...ORDER, forceCommand: 'systemd-stdio-bridge', sourceAddress: '203.0.113.9/32' };
    const { certificate, validBefore } = certify(AUTHORITY, order, nowMs);
    writeFileSync(file, `ssh-ed25519-cert-v01@openssh.com ${certificate.toString('base64')}\n`);
    const said = execFileSync('ssh-keygen', ['-L', '-f', file], {
      encoding: 'utf8',
      env: { ...process.env, TZ: 'UTC' },
    });
    expect(validBefore).toBe(nowMs + 3 * MINUTE_MS);
    expect(said.replaceAll(/\s+/g, ' ')).toContain(
      'Valid: from 2026-11-26T09:55:00 to 2026-11-26T10:03:00 Principals: wardround-vps-1 ' +
        'Critical Options: force-command systemd-stdio-bridge source-address 203.0.113.9/32 Extensions: (none)',
    );
    expect(said).toContain('Type: ssh-ed25519-cert-v01@openssh.com user certificate');
    expect(said).toContain('Key ID: "wardround wardround-vps-1"');
  });

  it('of one that it has made itself is read byte for byte, and its signature is good', () => {
    const folder = scratchFolder();
    createKeyPair(join(folder, 'ca'));
    createKeyPair(join(folder, 'login'));
    const options = ['-O', 'clear', '-O', 'force-command=uptime', '-O', 'source-address=10.0.0.0/8'];
    const sign = ['-s', join(folder, 'ca'), '-I', 'some id', '-n', 'one,two', '-V', '20260101:20260102', '-z', '7'];
    execFileSync('ssh-keygen', ['-q', ...sign, ...options, join(folder, 'login.pub')]);
    const blob = certificateInLine(readFileSync(join(folder, 'login-cert.pub'), 'utf8'));
    const read = readCertificate(blob);
    expect(read).toMatchObject({
      keyId: 'some id',
      principals: ['one', 'two'],
      serial: 7n,
      forceCommand: 'uptime',
      sourceAddress: '10.0.0.0/8',
      extensions: [],
      otherOptions: [],
    });
    expect(certificateBody(read).equals(read.body)).toBe(true);
    const x = read.authority.toString('base64url');
    const authority = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
    expect(verify(null, read.body, authority, read.signature)).toBe(true);
  });
});

describe('a host that takes certificates of this fleet', () => {
  const hostThatTrusts = async (): Promise<SshHost> => {
    const host = await startTestHost();
    await host.takeCertificates([authorityLine(AUTHORITY)], [PRINCIPAL]);
    return host;
  };
  const loginTo = ({ port, user }: SshHost, order: Partial<CertificateOrder>, nowMs: number, authority: string) => ({
    host: '127.0.0.1',
    port,
    username: user,
    privateKey: {
      principal: order.principal ?? PRINCIPAL,
      issue: () => certify(authority, { ...ORDER, ...order }, nowMs),
    },
  });
  const run = (
    host: SshHost,
    command: string,
    order: Partial<CertificateOrder> = {},
    { nowMs = Date.now(), authority = AUTHORITY } = {},
  ) =>
    execSSHCommand({
      ...loginTo(host, order, nowMs, authority),
      command,
      connectTimeoutMs: 10_000,
      commandTimeoutMs: 10_000,
    });

  it('lets the commands of the contract through, and nothing that merely looks like one', async () => {
    const host = await hostThatTrusts();
    const { look, show, journal, restart, forgiveAndRestart } = contractCommands('rachel8');
    expect(await run(host, look)).toMatchObject({ exitCode: 0, stdout: 'active\n' });
    expect((await run(host, show)).stdout).toContain('LoadState=loaded');
    expect((await run(host, journal)).exitCode).toBe(0);
    host.set({ state: 'failed' });
    expect((await run(host, restart)).exitCode).toBe(0);
    expect((await run(host, forgiveAndRestart)).exitCode).toBe(0);
    expect(host.stateOf()).toBe('active');
    for (const other of [
      'id',
      '/bin/sh',
      `${look}; id`,
      ` ${look}`,
      look.replace('rachel8', 'nginx'),
      look.replace('is-active', 'stop'),
      `${look}\nid`,
      '*',
      '$(id)',
      '',
    ])
      expect(await run(host, other), other).toMatchObject({ exitCode: 126, stdout: '', stderr: `${NOT_ALLOWED}\n` });
  });

  it('forwards nothing', async () => {
    const host = await hostThatTrusts();
    const session = await SSHSession.open(loginTo(host, {}, Date.now(), AUTHORITY), { timeoutMs: 10_000 });
    expect(await session.mayForward({ timeoutMs: 10_000 })).toBe(false);
    await session.close();
  });

  it.each<[string, Partial<CertificateOrder>, { nowMs?: number; authority?: string }]>([
    ['is over', {}, { nowMs: Date.now() - 4 * MINUTE_MS }],
    ['has not begun, as the clock of the host is behind', {}, { nowMs: Date.now() + 10 * MINUTE_MS }],
    ['is for another VPS', { principal: 'wardround-vps-2' }, {}],
    ['is of another authority', {}, { authority: makeAuthorityKey() }],
    ['is for another address', { sourceAddress: '203.0.113.9/32' }, {}],
  ])('refuses one that %s, and says what that may be', async (_, order, by) => {
    const host = await hostThatTrusts();
    await expect(run(host, 'true', order, by)).rejects.toMatchObject({
      code: 'auth_rejected',
      message: expect.stringMatching(
        /^the host refused the login as \S+ with a certificate for wardround-vps-\d, good until \d\d:\d\d:\d\d UTC: its clock may be off/,
      ) as string,
    });
    expect(host.commands()).toEqual([]);
  });

  it('takes one that may be used from here, and one of a clock that is four minutes ahead of its own', async () => {
    const host = await hostThatTrusts();
    const { look } = contractCommands('rachel8');
    expect((await run(host, look, { sourceAddress: '203.0.113.9,127.0.0.0/8' })).exitCode).toBe(0);
    expect((await run(host, look, {}, { nowMs: Date.now() + 4 * MINUTE_MS })).exitCode).toBe(0);
  });
});

describe('a VPS without a key', () => {
  const openTestApp = async (environment = {}): Promise<App> => {
    const scratch = await openScratchApp(environment);
    onTestFinished(() => scratch.close());
    return scratch.app;
  };
  const described = (host: SshHost): NewVps => {
    const parsed = parseVps({
      customer: 'a@example.test',
      host: '127.0.0.1',
      port: String(host.port),
      user: host.user,
      key: 'certificate',
    });
    if ('problems' in parsed) throw new Error(inTerminal(parsed.problems).join('; '));
    return parsed.vps;
  };
  const addTo = async (app: App, host: SshHost): Promise<string> =>
    (await addNotReady(app, LOCAL_OPERATOR, described(host), 'not tried')).id;
  const trust = async (app: App, host: SshHost, id: string): Promise<void> => {
    const lines = await certificateLinesOf(app, LOCAL_OPERATOR, id);
    await host.takeCertificates(lines?.authorities ?? [], [lines?.principal ?? '']);
  };

  it('needs an authority, is added as not ready, and watched and healed once it trusts that', async () => {
    const host = await startTestHost();
    const app = await openTestApp();
    await expect(addTo(app, host)).rejects.toThrow('wardround ca create');
    await makeAuthority(app, LOCAL_OPERATOR);
    await expect(makeAuthority(app, LOCAL_OPERATOR)).rejects.toThrow('has an SSH authority already');
    await expect(boardVps(app, LOCAL_OPERATOR, described(host), { notReady: false })).rejects.toThrow('not ready');
    const id = await addTo(app, host);
    expect(app.db.select().from(subscriptions).all()).toMatchObject([
      { sshLogin: 'certificate', sshPrivateKey: null, sshKeyId: null, provisioningStatus: 'pending' },
    ]);
    expect(() => loginLineOf(app, LOCAL_OPERATOR, id)).toThrow('no key is stored');
    const before = await tryVps(app, LOCAL_OPERATOR, id, {});
    expect(before.outcomes.find(({ verdict }) => verdict === 'failed')).toMatchObject({
      step: 'login',
      saw: expect.stringContaining('its clock may be off') as string,
      command: { on: 'vps', text: expect.stringContaining('date -u') as string },
    });
    await trust(app, host, id);
    const { passed, outcomes } = await tryVps(app, LOCAL_OPERATOR, id, {});
    expect(passed).toBe(true);
    expect(outcomes.find(({ step }) => step === 'login')?.saw).toContain('by certificate of this fleet’s authority');
    // The rights were told: what asks for them is among what is let through.
    expect(outcomes.find(({ step }) => step === 'rights')?.saw).not.toContain('could not be told');
    expect(listVps(app, LOCAL_OPERATOR, new Date())[0]).toMatchObject({ active: true, login: 'certificate' });
    const userId = app.db.select().from(subscriptions).get()?.userId ?? '';
    host.set({ state: 'failed', result: 'exit-code', journal: 'why it died' });
    expect(await sweepOnce(app)).toMatchObject({ healthy: 1, restarted: 1 });
    expect(stateOf(app, userId)).toMatchObject({ status: 'healthy', totalRecoveries: 1 });
    const evidence = app.db.$client.prepare('SELECT * FROM restart_evidence').all();
    expect(JSON.stringify(evidence)).toContain('why it died');
  });

  it('is logged in to by what signs at that moment: both authorities are trusted meanwhile, and then the next one', async () => {
    const host = await startTestHost();
    const app = await openTestApp();
    const [old] = await makeAuthority(app, LOCAL_OPERATOR);
    const id = await addTo(app, host);
    await trust(app, host, id);
    const passes = async (): Promise<boolean> => (await tryVps(app, LOCAL_OPERATOR, id, {})).passed;
    expect(await passes()).toBe(true);
    await expect(finishRotation(app, LOCAL_OPERATOR)).rejects.toThrow('no rotation');
    const both = await beginRotation(app, LOCAL_OPERATOR);
    expect(both).toMatchObject([{ id: old?.id, role: 'signing' }, { role: 'next' }]);
    expect(await beginRotation(app, LOCAL_OPERATOR)).toEqual(both);
    expect((await certificateLinesOf(app, LOCAL_OPERATOR, id))?.authorities).toEqual(
      both.map(({ publicKey }) => publicKey),
    );
    expect(await passes()).toBe(true);
    const after = await finishRotation(app, LOCAL_OPERATOR);
    expect(after).toMatchObject([{ id: both[1]?.id, role: 'signing' }]);
    // It trusts the former one alone.
    expect(await passes()).toBe(false);
    await trust(app, host, id);
    expect(await passes()).toBe(true);
  });

  it('forgets its key when certificates take its place, and has one again when one is given', async () => {
    const host = await startTestHost();
    const app = await openTestApp();
    await makeAuthority(app, LOCAL_OPERATOR);
    const id = await addTo(app, host);
    const edit = (given: { key?: 'own' | 'certificate'; privateKey?: string }): Promise<string[]> => {
      const parsed = parseVpsEdit({
        customer: 'a@example.test',
        host: '127.0.0.1',
        port: String(host.port),
        user: host.user,
        ...given,
      });
      if ('problems' in parsed) throw new Error(inTerminal(parsed.problems).join('; '));
      return editVps(app, LOCAL_OPERATOR, id, parsed.edit);
    };
    const row = () => app.db.select().from(subscriptions).where(eq(subscriptions.id, id)).get();
    expect(await edit({ key: 'certificate' })).toEqual([]);
    expect(await edit({ privateKey: host.privateKey })).toEqual(['private key']);
    expect(row()).toMatchObject({ sshLogin: 'key', sshPrivateKey: expect.stringMatching(/^v1\./) as string });
    expect(await edit({ key: 'certificate' })).toEqual(['login by certificate']);
    expect(row()).toMatchObject({ sshLogin: 'certificate', sshPrivateKey: null, sshKeyId: null });
  });

  it('gives a thief of the database nothing: its authority does not open without the encryption key', async () => {
    const host = await startTestHost();
    const app = await openTestApp();
    await makeAuthority(app, LOCAL_OPERATOR);
    await addTo(app, host);
    const [row] = app.db.select().from(sshAuthorities).all();
    const place = authorityPlace(row?.id ?? '');
    expect(() => decryptToken(row?.privateKey ?? '', place, Buffer.alloc(32, 7))).toThrow(DecryptionError);
    expect(() => decryptToken(row?.privateKey ?? '', authorityPlace('other'), app.encryptionKey)).toThrow(
      'another row',
    );
    const pem = decryptToken(row?.privateKey ?? '', place, app.encryptionKey);
    const secret = pem.split('\n')[1] ?? '';
    const seed = Buffer.from(secret, 'base64').subarray(-32);
    const stored = app.db.$client.serialize();
    for (const form of [secret, 'PRIVATE KEY', seed.toString('hex'), seed.toString('base64'), seed])
      expect(stored.includes(form), String(form)).toBe(false);
  });

  it('whose authority cannot sign counts for nothing: no failure, no restart', async () => {
    const host = await startTestHost();
    const app = await openTestApp();
    await makeAuthority(app, LOCAL_OPERATOR);
    const id = await addTo(app, host);
    app.db.update(subscriptions).set({ provisioningStatus: 'ready' }).run();
    app.db.update(sshAuthorities).set({ privateKey: 'nonsense' }).run();
    expect(await sweepOnce(app)).toMatchObject({ unhealthy: 0, unchecked: 1, restarted: 0 });
    app.db.delete(sshAuthorities).run();
    expect(await sweepOnce(app)).toMatchObject({ unhealthy: 0, unchecked: 1, restarted: 0 });
    expect(app.db.select().from(healthChecks).all()).toMatchObject([
      { lastErrorCode: 'no_certificate', consecutiveFailures: 0 },
    ]);
    await expect(certificateLinesOf(app, LOCAL_OPERATOR, id)).rejects.toThrow('wardround ca create');
  });

  describe('and a signer of its own', () => {
    /** A program in sh(1) that is given `$public`, `$principal`, `$force` and `$folder`. */
    const signer = (script: string): string => {
      const folder = scratchFolder();
      createKeyPair(join(folder, 'ca'));
      const file = join(folder, 'sign');
      const read = `node -p 'const o = JSON.parse(require("node:fs").readFileSync(0, "utf8")); "public=" + q(o.publicKey) + " principal=" + q(o.principal) + " force=" + q(o.forceCommand); function q(t) { return "\\x27" + t.replaceAll("\\x27", "\\x27\\\\\\x27\\x27") + "\\x27" }'`;
      writeFileSync(
        file,
        `#!/bin/sh\nset -e\nfolder=${folder}\nenv >$folder/environment\neval "$(${read})"\necho "$public" >$folder/key.pub\n` +
          `sign() { ssh-keygen -q -s $folder/ca -I x -n "$principal" -V -1m:+3m -O clear -O "force-command=$force" "$@" $folder/key.pub; cat $folder/key-cert.pub; }\n${script}\n`,
      );
      chmodSync(file, 0o755);
      return file;
    };
    const trying = async (
      script: string,
      environment = {},
    ): Promise<{ saw: string; folder: string; passed: boolean }> => {
      const host = await startTestHost();
      const file = signer(script);
      const folder = join(file, '..');
      const app = await openTestApp({ SSH_CA_SIGNER: file, SSH_CONNECT_TIMEOUT_MS: '20000', ...environment });
      const id = await addTo(app, host);
      await host.takeCertificates([readFileSync(join(folder, 'ca.pub'), 'utf8')], [principalOf(id)]);
      const { outcomes, passed } = await tryVps(app, LOCAL_OPERATOR, id, {});
      return { saw: outcomes.find(({ verdict }) => verdict === 'failed')?.saw ?? '', folder, passed };
    };

    it('is logged in to with what that prints; it gets no secret, and its authority is known by its certificates', async () => {
      const host = await startTestHost();
      const file = signer('sign');
      const folder = join(file, '..');
      const app = await openTestApp({ SSH_CA_SIGNER: file, SSH_CONNECT_TIMEOUT_MS: '20000' });
      await expect(makeAuthority(app, LOCAL_OPERATOR)).rejects.toThrow('an outside signer');
      const id = await addTo(app, host);
      const lines = await certificateLinesOf(app, LOCAL_OPERATOR, id);
      const ca = readFileSync(join(folder, 'ca.pub'), 'utf8').split(' ').slice(0, 2).join(' ');
      expect(lines).toMatchObject({ authorities: [ca], principal: principalOf(id) });
      await trust(app, host, id);
      expect((await tryVps(app, LOCAL_OPERATOR, id, {})).passed).toBe(true);
      const names = readFileSync(join(folder, 'environment'), 'utf8')
        .split('\n')
        .map((line) => line.split('=')[0]);
      expect(names.filter((name) => !['PATH', 'HOME', 'PWD', 'OLDPWD', '_', 'SHLVL', ''].includes(name ?? ''))).toEqual(
        [],
      );
    });

    it.each([
      ['fails', 'echo "no ticket" >&2; exit 3', 'ended with exit code 3: no ticket'],
      ['prints something else', 'echo hello', 'it is no line that begins with'],
      ['prints without end', 'yes', 'prints more than 64 KiB'],
      ['allows more', 'sign -O permit-port-forwarding', 'it has extensions, and none were asked for'],
      ['forces nothing', 'force=true; sign', 'it does not force the command'],
      ['is for others', 'principal="$principal,root"; sign', 'it is not for the principal wardround-vps-'],
      ['is for too long', 'sign -V +0:+1d', 'it is valid for longer than 180 s'],
    ])('says so where that %s', async (_, script, why) => {
      expect((await trying(script)).saw).toContain(why);
    });

    it('waits for it no longer than for a login', async () => {
      expect((await trying('exec sleep 60', { SSH_CONNECT_TIMEOUT_MS: '1000' })).saw).toContain(
        'has printed nothing within 1 s',
      );
    });

    it('says so where there is no such program', async () => {
      const host = await startTestHost();
      const app = await openTestApp({ SSH_CA_SIGNER: '/nowhere/sign --now' });
      const id = await addTo(app, host);
      const vps = app.db.select().from(subscriptions).get();
      expect(id).toBe(vps?.id);
      if (vps) await expect(certificateLines(app, LOCAL_OPERATOR, vps)).rejects.toThrow('cannot be started (ENOENT)');
    });
  });
});

it('the pages add it as not ready, say what makes it take certificates, and how it is logged in to', async () => {
  const scratch = scratchEnvironment({ ENABLE_HEALTH_MONITOR: 'false' });
  onTestFinished(() => scratch.remove());
  await createAdmin(scratch.environment);
  await runCli(scratch.environment, 'ca', 'create');
  const server = await startServer(scratch.environment);
  onTestFinished(async () => {
    await endWith(server, 'SIGTERM');
  });
  const cookie = await signIn(server.url);
  const page = async (path: string): Promise<string> =>
    (await fetch(`${server.url}${path}`, { headers: { cookie } })).text();
  expect(await page('/vps/new')).toContain('None: certificates');
  const form = { customer: 'page@example.test', host: '192.0.2.7', key: 'certificate' };
  const answer = await post(`${server.url}/vps/new`, form, { cookie });
  const [, id] = /^\/vps\/(vps-[0-9a-f]+)\?done=certificate$/.exec(answer.headers.get('location') ?? '') ?? [];
  expect(await page(`/vps/${id}?done=certificate`)).toContain('Let it trust the certificates of this fleet');
  expect(await page(`/vps/${id}`)).toContain('logs in by certificate of this fleet');
  expect(await page(`/vps/${id}/try`)).toContain(`wardround-${id}`);
  expect(await page(`/vps/${id}/edit`)).toMatch(/value="certificate"[^>]*checked/);
}, 60_000);

it('the command line makes an authority, shows it, prints the lines of a host, and rotates', async () => {
  const scratch = scratchEnvironment();
  onTestFinished(() => scratch.remove());
  const ca = (...args: string[]) => runCli(scratch.environment, 'ca', ...args);
  expect((await ca('create')).stdout).toContain('# signs:\nssh-ed25519 ');
  const add = ['vps', 'add', '--customer', 'a@example.test', '--host', '192.0.2.7', '--certificate'];
  const added = await runCli(scratch.environment, ...add);
  expect(added).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('ca lines 192.0.2.7') as string });
  const lines = (await ca('lines', '192.0.2.7')).stdout;
  expect(lines).toMatch(/wardround-vps-[0-9a-f]{16}/);
  for (const word of [
    'Match User root',
    'TrustedUserCAKeys',
    'AuthorizedPrincipalsFile',
    'forced-commands-only',
    'undo',
  ])
    expect(lines).toContain(word);
  execFileSync('sh', ['-n'], { input: lines });
  expect((await ca('rotate')).stdout).toContain('# next');
  expect((await ca('show', '--json')).stdout).toContain('"vpss": 1');
  const finished = await ca('rotate', '--finish', '--json');
  expect(finished.stdout).not.toContain('PRIVATE');
  expect(JSON.parse(finished.stdout)).toMatchObject([{ role: 'signing' }]);
}, 60_000);

import { execFileSync, spawn } from 'node:child_process';
import dns, { type LookupAddress } from 'node:dns';
import { mkdtempSync, openSync, closeSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { execSSHCommand } from '../src/lib/provisioning/ssh-exec.ts';
import type { ExecOnceOrders, ExecOnceReport } from './support/exec-once.ts';
import { newKey, sshPeer, tcp, tcpPeer } from './support/peers.ts';
import { openWard } from './support/scratch-app.ts';

const login = newKey();
const hostKey = newKey();
const LOOPBACK: LookupAddress[] = [{ address: '127.0.0.1', family: 4 }];

type Answer = readonly LookupAddress[] | string;
/** What the resolver of the system says from now on: addresses, an error, or nothing at all. */
function resolver(answer: Answer) {
  type Done = (error: Error | null, addresses?: readonly LookupAddress[]) => void;
  const asked = vi.spyOn(dns, 'lookup').mockImplementation(((_name: string, _options: object, done: Done) => {
    if (answer === 'never') return;
    setImmediate(() => {
      if (typeof answer === 'string') done(Object.assign(new Error(answer), { code: answer }));
      else done(null, answer);
    });
  }) as unknown as typeof dns.lookup);
  onTestFinished(() => asked.mockRestore());
  return asked;
}

let names = 0;
/** A name that nobody has looked up yet, and a host behind it. */
async function startNamedHost() {
  const peer = await sshPeer({ hostKeys: [hostKey.privateKey] });
  onTestFinished(peer.close);
  const call = (more: { hostKey?: string | null; port?: number } = {}) =>
    execSSHCommand({
      host,
      port: peer.port,
      username: 'monitor',
      privateKey: login.privateKey,
      command: 'is-active',
      connectTimeoutMs: 3_000,
      commandTimeoutMs: 5_000,
      hostKey: hostKey.publicKey,
      ...more,
    });
  const host = `vps-${++names}.example`;
  return { call, peer };
}

describe('a host name', () => {
  it('that does not exist is the host’s fault', async () => {
    const { call } = await startNamedHost();
    resolver('ENOTFOUND');
    await expect(call()).rejects.toMatchObject({ code: 'dns', phase: 'connect' });
  });

  it.each(['EAI_AGAIN', 'EAI_FAIL', 'EAI_MEMORY'])('that the resolver does not tell (%s) is ours', async (code) => {
    const { call } = await startNamedHost();
    resolver(code);
    await expect(call()).rejects.toMatchObject({ code: 'resolver', phase: 'connect' });
    await expect(call()).rejects.toThrow(`could not be looked up (${code})`);
  });

  it('that is not told in time is ours, and is asked for once by all who wait', async () => {
    const { call } = await startNamedHost();
    const asked = resolver('never');
    for (const result of await Promise.allSettled([call(), call()]))
      expect(result).toMatchObject({ reason: { code: 'resolver', phase: 'connect', sent: false } });
    await expect(call()).rejects.toThrow('the look-up of the host name has not come back within 3 s');
    expect(asked).toHaveBeenCalledTimes(1);
  });

  it.each(['EAI_AGAIN', 'never'])('is tried at its last known address meanwhile (%s)', async (answer) => {
    const { call } = await startNamedHost();
    resolver(LOOPBACK);
    await call();
    resolver(answer);
    await expect(call()).resolves.toMatchObject({ exitCode: 0 });
  });

  it('that no longer exists is not', async () => {
    const { call } = await startNamedHost();
    resolver(LOOPBACK);
    await call();
    resolver('ENOTFOUND');
    await expect(call()).rejects.toMatchObject({ code: 'dns' });
  });

  it('is not where no key is pinned: who is there now could not be told', async () => {
    const { call } = await startNamedHost();
    resolver(LOOPBACK);
    await call();
    resolver('EAI_AGAIN');
    await expect(call({ hostKey: null })).rejects.toMatchObject({ code: 'resolver' });
  });

  it('whose last known address does not answer as that host stays ours', async () => {
    const { call, peer } = await startNamedHost();
    const other = await sshPeer({ hostKeys: [newKey().privateKey] });
    onTestFinished(other.close);
    const silent = await tcpPeer(tcp.closeAtOnce);
    onTestFinished(silent.close);
    resolver(LOOPBACK);
    await call();
    resolver('EAI_AGAIN');
    await expect(call({ port: other.port })).rejects.toMatchObject({ code: 'resolver' });
    await expect(call({ port: silent.port })).rejects.toMatchObject({ code: 'resolver' });
    await peer.close();
    await expect(call()).rejects.toThrow(/could not be looked up \(EAI_AGAIN\); at its last known address: .*refused/);
  });

  it('whose last known address is the pinned host’s is judged by what that says', async () => {
    const { call } = await startNamedHost();
    const refuses = await sshPeer({
      hostKeys: [hostKey.privateKey],
      onLogin: (context) => context.reject(['publickey']),
    });
    onTestFinished(refuses.close);
    resolver(LOOPBACK);
    await call();
    resolver('EAI_AGAIN');
    await expect(call({ port: refuses.port })).rejects.toMatchObject({ code: 'auth_rejected' });
  });
});

describe('in a process of its own', () => {
  /** `limit`: how many descriptors it may have. */
  async function execOnce(orders: Partial<ExecOnceOrders>, limit: number, onReport: () => void = () => undefined) {
    const script = fileURLToPath(new URL('support/exec-once.ts', import.meta.url));
    const child = spawn('sh', ['-c', `ulimit -n ${limit}; exec "$0" "$1"`, process.execPath, script], {
      stdio: ['pipe', 'pipe', 'inherit'],
      timeout: 30_000,
      env: { ...process.env, UV_THREADPOOL_SIZE: '1' },
    });
    const base = { host: '127.0.0.1', port: 9, username: 'm', privateKey: login.privateKey, command: 'x' };
    child.stdin.end(JSON.stringify({ ...base, connectTimeoutMs: 1_000, commandTimeoutMs: 1_000, ...orders }));
    child.stdout.once('data', onReport);
    return JSON.parse(await text(child.stdout)) as ExecOnceReport;
  }

  it('a name is ours while all threads are busy with something else', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'wardround-fifo-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const fifo = join(folder, 'fifo');
    execFileSync('mkfifo', [fifo]);
    const report = await execOnce({ host: 'localhost', busyWith: fifo }, 1_024, () => closeSync(openSync(fifo, 'w')));
    expect(report.outcome).toMatchObject({ ok: false, code: 'resolver', phase: 'connect' });
    expect(report.elapsedMs).toBeGreaterThan(995);
  });

  it.each(['127.0.0.1', 'localhost', 'no-such..host'])(
    'a connection to %s is ours when no descriptor is left',
    async (host) => {
      const report = await execOnce({ host, withoutDescriptors: true }, 64);
      expect(report.outcome).toMatchObject({ ok: false, code: 'local_limit', phase: 'connect' });
    },
  );
});

describe('a sweep', () => {
  it('moves nothing of a VPS while its name is not told, and sees it where it was last', async () => {
    const { sweep, state } = await openWard({ host: 'vps-of-a-ward.example' });
    resolver('EAI_AGAIN');
    expect(await sweep()).toMatchObject({ checked: 0, unchecked: 1 });
    expect(state()).toMatchObject({ totalChecks: 0, totalFailures: 0, lastErrorCode: 'resolver' });
    resolver(LOOPBACK);
    await sweep();
    resolver('EAI_AGAIN');
    await sweep();
    expect(state()).toMatchObject({ status: 'healthy', totalChecks: 2, totalFailures: 0, lastErrorCode: null });
  });

  it('counts a name that does not exist', async () => {
    const { sweep, state } = await openWard({ host: 'vps-that-is-none.example' });
    resolver('ENOTFOUND');
    await sweep();
    expect(state()).toMatchObject({ status: 'down', totalChecks: 1, totalFailures: 1, lastErrorCode: 'dns' });
  });
});

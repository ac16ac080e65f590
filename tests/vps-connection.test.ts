import { describe, expect, it, onTestFinished } from 'vitest';
import { SSHSession } from '../src/lib/provisioning/ssh-session.ts';
import { VpsConnection, type Order } from '../src/lib/provisioning/vps-connection.ts';
import { answer, newKey, sshPeer, type Exec, type SSHManners } from './support/peers.ts';

const login = newKey();
const hostKey = newKey();
const LIMITS = { connectTimeoutMs: 5_000, commandTimeoutMs: 5_000, restartTimeoutMs: 5_000, restartSettleMs: 0 };

const read = (command: string): Order => ({ command, timeoutMs: 5_000, reads: true });
const change = (command: string): Order => ({ command, timeoutMs: 5_000, reads: false });

/** A host that notes its connections and commands. */
async function startHost(manners: Partial<SSHManners> = {}) {
  const seen = { connections: 0, commands: [] as string[] };
  const { onExec = (exec: Exec) => answer(exec, { stdout: exec.command }) } = manners;
  const peer = await sshPeer({
    hostKeys: [hostKey.privateKey],
    ...manners,
    onLogin: (context) => {
      if (context.method !== 'publickey') {
        context.reject(['publickey']);
        return;
      }
      if (context.signature === undefined) seen.connections += 1;
      context.accept();
    },
    onExec: (exec) => {
      seen.commands.push(exec.command);
      onExec(exec);
    },
  });
  onTestFinished(peer.close);
  const asM = { username: 'm', privateKey: login.privateKey };
  const target = { host: '127.0.0.1', port: peer.port, ...asM, service: 'x', reach: 'any' as const };
  return { seen, target, vps: new VpsConnection(target, LIMITS) };
}

describe('a session', () => {
  const open = async (manners: Partial<SSHManners> = {}) => {
    const { seen, target } = await startHost(manners);
    const session = await SSHSession.open(target, { timeoutMs: 5_000 });
    onTestFinished(() => session.close());
    return { seen, session };
  };

  it('runs one command after the other on one connection, each with limits of its own', async () => {
    const { seen, session } = await open({ onExec: (exec) => answer(exec, { stdout: 'x'.repeat(60 * 1024) }) });
    for (const command of ['one', 'two', 'three']) {
      const { stdout, hostKey: shown } = await session.run(command, { timeoutMs: 5_000 });
      expect(stdout).toHaveLength(60 * 1024);
      expect(shown).toBe(hostKey.publicKey);
    }
    expect(seen).toEqual({ connections: 1, commands: ['one', 'two', 'three'] });
    expect(session.isOpen).toBe(true);
  });

  it('ends with the first command that fails, and says so of all later ones', async () => {
    const { session } = await open({ onExec: ({ accept }) => accept() });
    await expect(session.run('hangs', { timeoutMs: 200 })).rejects.toMatchObject({ code: 'timeout', sent: true });
    expect(session.isOpen).toBe(false);
    await expect(session.run('later', { timeoutMs: 200 })).rejects.toMatchObject({ code: 'timeout', sent: false });
  });

  it('notices between two commands that the host has gone', async () => {
    const gone = Promise.withResolvers<undefined>();
    const { session } = await open({
      onExec: (exec) => {
        answer(exec, { stdout: 'last words' });
        exec.socket.once('close', () => gone.resolve(undefined));
        exec.socket.end();
      },
    });
    await session.run('first', { timeoutMs: 5_000 });
    await gone.promise;
    await expect.poll(() => session.isOpen).toBe(false);
    await expect(session.run('second', { timeoutMs: 5_000 })).rejects.toMatchObject({ code: 'reset', sent: false });
  });

  it('lets a signal end one command, and the connection with it', async () => {
    const running = Promise.withResolvers<undefined>();
    const { session } = await open({
      onExec: ({ accept }) => {
        accept();
        running.resolve(undefined);
      },
    });
    const controller = new AbortController();
    const call = session.run('hangs', { timeoutMs: 5_000, signal: controller.signal });
    await running.promise;
    controller.abort();
    await expect(call).rejects.toMatchObject({ code: 'aborted' });
  });
});

describe('the connection for a look', () => {
  it('is made for the first command, stays for the next ones, and is made anew once it was closed', async () => {
    const { seen, vps } = await startHost();
    for (const command of ['one', 'two'])
      expect(await vps.run(read(command))).toMatchObject({ ok: true, stdout: command });
    expect(seen.connections).toBe(1);
    await vps.close();
    expect(await vps.run(read('three'))).toMatchObject({ ok: true, stdout: 'three' });
    expect(seen.connections).toBe(2);
    await vps.close();
  });

  it('is a fresh one for each command where a host allows no second channel', async () => {
    const served = new WeakSet();
    const { seen, vps } = await startHost({
      onExec: (exec) => {
        if (served.has(exec.connection)) {
          exec.reject();
          return;
        }
        served.add(exec.connection);
        answer(exec, { stdout: exec.command });
      },
    });
    expect(await vps.run(read('one'))).toMatchObject({ ok: true });
    expect(await vps.run(change('two'))).toMatchObject({ ok: true, stdout: 'two' });
    expect(await vps.run(read('three'))).toMatchObject({ ok: true, stdout: 'three' });
    expect(seen.connections).toBe(3);
    await vps.close();
  });

  /** Answers `one`; breaks the connection at the next command, each time. */
  const breaksAtSecond: Partial<SSHManners> = {
    onExec: (exec) => {
      if (exec.command === 'one') {
        answer(exec, { stdout: 'one' });
        return;
      }
      exec.accept();
      return exec.socket.end();
    },
  };

  it('that breaks during a command that reads is replaced, once', async () => {
    const { seen, vps } = await startHost(breaksAtSecond);
    await vps.run(read('one'));
    expect(await vps.run(read('two'))).toMatchObject({ ok: false, code: 'reset', sent: true });
    expect(seen.commands).toEqual(['one', 'two', 'two']);
    expect(seen.connections).toBe(2);
  });

  it('that breaks after a change was sent is not replaced: it is never sent twice', async () => {
    const { seen, vps } = await startHost(breaksAtSecond);
    await vps.run(read('one'));
    expect(await vps.run(change('two'))).toMatchObject({ ok: false, code: 'reset', sent: true });
    expect(seen.commands).toEqual(['one', 'two']);
    expect(await vps.run(read('one'))).toMatchObject({ ok: true });
    expect(seen.connections).toBe(2);
    await vps.close();
  });

  it('goes on with the host that the first look has met, and with no other', async () => {
    const { vps, target } = await startHost();
    const other = await sshPeer({ hostKeys: [newKey().privateKey] });
    onTestFinished(other.close);
    await vps.run(read('one'));
    await vps.close();
    Object.assign(target, { port: other.port });
    expect(await vps.run(read('two'))).toMatchObject({ ok: false, code: 'host_key_changed', sent: false });
  });
});

import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { linksOf } from '../src/lib/monitoring/links.ts';
import { removeVps } from '../src/lib/fleet-admin/fleet-admin.ts';
import { subscriptions } from '../src/lib/db/schema.ts';
import { LOCAL_OPERATOR } from '../src/lib/auth/actor.ts';
import { VpsLink } from '../src/lib/provisioning/vps-link.ts';
import { serveBus } from './support/bus-peer.ts';
import { startVps } from './support/fleet.ts';
import { answer, newKey, sshPeer } from './support/peers.ts';
import { openLinkedWard, type LinkedWard } from './support/linked-ward.ts';

const LIMITS = { connectTimeoutMs: 5_000, commandTimeoutMs: 5_000, restartTimeoutMs: 5_000, restartSettleMs: 0 };

const logins = ({ vps }: LinkedWard): number => vps.logins();

/** What a link may meet between two looks. None of it is a fault of the VPS. */
const MEETS: Readonly<Record<string, (ward: LinkedWard) => unknown>> = {
  'its connection was broken': ({ vps }) => {
    vps.host.hangUp();
  },
  'its sshd was started anew': async ({ vps }) => {
    await vps.host.refuse();
    await vps.host.accept();
  },
  'its network has forgotten it': ({ vps }) => {
    vps.host.forget();
  },
};

describe.for(['kept', 'bus'] as const)('a link of the kind %s', (kind) => {
  it('is one connection from look to look', async () => {
    const ward = await openLinkedWard({ kind });
    for (let round = 0; round < 3; round++) await ward.sweep();
    expect(logins(ward)).toBe(1);
    expect(ward.vps.state()).toMatchObject({ status: 'healthy', totalChecks: 3, linkKind: kind });
  });

  it.for(Object.entries(MEETS))('is made anew where %s, and the VPS is healthy', async ([, happens]) => {
    const ward = await openLinkedWard({ kind, environment: { SSH_COMMAND_TIMEOUT_MS: '1000' } });
    await ward.sweep();
    await happens(ward);
    await ward.sweep();
    expect(ward.vps.state()).toMatchObject({ status: 'healthy', totalFailures: 0, totalChecks: 2, linkKind: kind });
    expect(logins(ward)).toBe(2);
  });

  it('ends when the login or the machine is another one', async () => {
    const ward = await openLinkedWard({ kind });
    await ward.sweep();
    ward.app.db.update(subscriptions).set({ sshUser: 'other' }).run();
    await ward.sweep();
    expect(logins(ward)).toBe(2);
  });

  it('ends when the VPS is removed', async () => {
    const ward = await openLinkedWard({ kind });
    await ward.sweep();
    expect(linksOf(ward.app).kept).toBe(1);
    await removeVps(ward.app, LOCAL_OPERATOR, ward.vps.id);
    await ward.sweep();
    expect(linksOf(ward.app).kept).toBe(0);
    await expect.poll(() => ward.vps.host.connections()).toBe(0);
  });

  it('ends with the keeping', async () => {
    const ward = await openLinkedWard({ kind });
    await ward.sweep();
    await ward.end();
    await expect.poll(() => ward.vps.host.connections()).toBe(0);
    await ward.sweep();
    expect(ward.vps.state()).toMatchObject({ status: 'healthy' });
    await expect.poll(() => ward.vps.host.connections()).toBe(0);
  });
});

describe('links', () => {
  it('are no more than SSH_MAX_LINKS, and those that are used in each sweep stay', async () => {
    const ward = await openLinkedWard({ kind: 'kept', machines: [{}, {}, {}], environment: { SSH_MAX_LINKS: '2' } });
    for (let round = 0; round < 3; round++) await ward.sweep();
    expect(linksOf(ward.app).kept).toBe(2);
    expect(ward.vpss.map((vps) => vps.logins()).toSorted()).toEqual([1, 1, 3]);
    expect(ward.vpss.map(({ state }) => state()?.linkLimit).filter((limit) => limit === 'full')).toHaveLength(1);
  });

  it('over which the host gives no bus are kept for commands, and say why', async () => {
    const ward = await openLinkedWard({ kind: 'auto', machines: [{ bus: 'none' }] });
    for (let round = 0; round < 2; round++) await ward.sweep();
    expect(ward.vps.state()).toMatchObject({
      linkKind: 'kept',
      linkLimit: 'no_bridge',
      linkDetail: expect.stringContaining('127') as string,
    });
    expect(ward.vps.commands.filter((one) => one === 'systemd-stdio-bridge')).toHaveLength(1);
    expect(logins(ward)).toBe(1);
  });

  it('that end whenever they rest are not kept any more', async () => {
    const ward = await openLinkedWard({ kind: 'kept' });
    for (let round = 0; round < 4; round++) {
      await ward.sweep();
      ward.vps.host.hangUp();
    }
    expect(ward.vps.state()).toMatchObject({ status: 'healthy', linkKind: 'fresh', linkLimit: 'not_kept' });
  });
});

describe('a kept link', () => {
  const MINUTE_MS = 60_000;
  /** Lets so much time pass at once, by the clock that is never set. */
  function jump(ms: number): void {
    const now = performance.now.bind(performance);
    vi.spyOn(performance, 'now').mockImplementation(() => now() + ms);
  }

  it('is made anew after a standstill of this process', async () => {
    const ward = await openLinkedWard({ kind: 'kept' });
    onTestFinished(() => void vi.restoreAllMocks());
    await ward.sweep();
    jump(10_000);
    await ward.sweep();
    expect(logins(ward)).toBe(2);
    expect(ward.vps.state()).toMatchObject({ status: 'healthy', totalFailures: 0 });
  });

  it.for([
    [59, 1],
    [61, 2],
  ])('is made anew after an hour: after %i minutes there were %i logins', async ([minutes = 0, expected]) => {
    const login = newKey();
    const vps = await startVps(login.publicKey, {}, 0);
    onTestFinished(() => vps.host.close());
    onTestFinished(() => void vi.restoreAllMocks());
    const target = { host: '127.0.0.1', port: vps.host.port, username: 'test', privateKey: login.privateKey };
    const link = new VpsLink({ ...target, service: 'rachel8', reach: 'any' }, { limits: LIMITS, choice: 'kept' });
    onTestFinished(() => link.close());
    await link.look();
    await link.rest();
    jump(minutes * MINUTE_MS);
    expect(await link.look()).toMatchObject({ result: { kind: 'state', activeState: 'active' } });
    expect(vps.logins()).toBe(expected);
  });
});

describe('a login that gets nothing but the bus, whatever it asks for', () => {
  it('is looked at and healed over it, also over a connection that is not kept, and asked for no journal', async () => {
    const login = newKey();
    const calls: string[][] = [];
    let begun = 0;
    const peer = await sshPeer({
      hostKeys: [newKey().privateKey],
      onExec: (exec) => {
        begun += 1;
        serveBus(exec, (bus) => {
          calls.push(bus.calls);
          bus.unit.ActiveState = 'failed';
        });
      },
    });
    onTestFinished(peer.close);
    const target = { host: '127.0.0.1', port: peer.port, username: 'ward', privateKey: login.privateKey };
    const link = new VpsLink({ ...target, service: 'rachel8', reach: 'any' }, { limits: LIMITS, choice: 'auto' });
    onTestFinished(() => link.close());
    expect(await link.look()).toMatchObject({ result: { kind: 'state', activeState: 'failed' } });
    expect(link.facts).toMatchObject({ kind: 'bus', limit: null });
    expect(await link.journalTail()).toBe('');
    expect(await link.heal()).toEqual({ outcome: 'succeeded' });
    expect(calls.flat().filter((member) => member === 'StartUnit')).toHaveLength(1);
    expect(begun).toBe(2);
  });
});

describe('a bus that goes away before the order', () => {
  it('has sent nothing: the restart goes by command, once', async () => {
    const login = newKey();
    const commands: string[] = [];
    let state = 'failed';
    const peer = await sshPeer({
      hostKeys: [newKey().privateKey],
      onExec: (exec) => {
        commands.push(exec.command);
        if (exec.command === 'systemd-stdio-bridge')
          serveBus(exec, (bus) => {
            bus.unit.ActiveState = 'failed';
            bus.ignores.add('ResetFailedUnit');
          });
        else if (exec.command.includes('systemctl restart')) {
          state = 'active';
          answer(exec, {});
        } else answer(exec, { stdout: `${state}\n`, exitCode: state === 'active' ? 0 : 3 });
      },
    });
    onTestFinished(peer.close);
    const target = { host: '127.0.0.1', port: peer.port, username: 'ward', privateKey: login.privateKey };
    const limits = { ...LIMITS, restartTimeoutMs: 500 };
    const link = new VpsLink(
      { ...target, service: 'rachel8', reach: 'any' },
      { limits, choice: 'auto', isKept: () => true },
    );
    onTestFinished(() => link.close());
    expect(await link.look()).toMatchObject({ result: { activeState: 'failed' } });
    expect(await link.heal({ resetFailed: true })).not.toMatchObject({ outcome: 'not_sent' });
    expect(commands.filter((one) => one.includes('systemctl restart'))).toHaveLength(1);
  });
});

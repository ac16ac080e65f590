import { beforeAll, describe, expect, it } from 'vitest';
import { RigMachine } from './machine.ts';
import { openRigWard, type RigWard } from './ward.ts';

/** What a link meets between two looks. None of it is a failure of the VPS. */
const MEETS: Readonly<Record<string, (vps: RigMachine) => Promise<unknown>>> = {
  'its sshd is started anew': (vps) => vps.run('systemctl restart ssh'),
  'its session is killed': (vps) => vps.run('pkill -9 -f "^sshd: " || true'),
  'its bridge to the bus is killed': (vps) => vps.run('pkill -9 systemd-stdio-b || true'),
  'its bus is started anew': (vps) =>
    vps.run('systemctl restart dbus && systemctl restart polkit && systemctl is-active dbus polkit'),
  'its systemd reads its files anew': (vps) => vps.run('systemctl daemon-reload'),
  'its systemd is started anew': (vps) => vps.run('systemctl daemon-reexec'),
  'its unit file is another one': (vps) =>
    vps.run(
      'echo "# another" >> /lib/systemd/system/rachel8.service && systemctl daemon-reload && systemctl restart rachel8',
    ),
  'it may open one session only': (vps) =>
    vps.run('echo "MaxSessions 1" > /etc/ssh/sshd_config.d/limit.conf && systemctl restart ssh'),
  'its sshd asks for signs of life each second': (vps) =>
    vps.run(
      'printf "ClientAliveInterval 1\nClientAliveCountMax 1\n" > /etc/ssh/sshd_config.d/limit.conf && systemctl restart ssh',
    ),
  'it is booted anew': async (vps) => {
    await vps.powerOff();
    await vps.boot();
  },
};

describe.for([
  { user: 'ward', number: 101, what: 'a login that has nothing but the bus' },
  { user: 'rachel', number: 102, what: 'a login with a shell and sudo' },
])('$what, on a real machine', ({ user, number }) => {
  const vps = new RigMachine(number);
  beforeAll(() => vps.boot());

  it('is healthy, with no failed check, whatever its link has met', async () => {
    const ward = await openRigWard(vps, user);
    await ward.sweep();
    expect(ward.state()).toMatchObject({ status: 'healthy', linkKind: 'bus' });
    for (const [what, happens] of Object.entries(MEETS)) {
      await happens(vps);
      await ward.sweep();
      expect({ what, ...ward.state() }).toMatchObject({ what, status: 'healthy', totalFailures: 0 });
    }
    await vps.run('rm /etc/ssh/sshd_config.d/limit.conf && systemctl restart ssh');
    expect(ward.outcomes()).toEqual([]);
  });

  it('is started at once when it is stopped or killed, on the news of it', async () => {
    const ward = await openRigWard(vps, user);
    await ward.sweep();
    // A VPS is looked at on news once in ten seconds, and restarted once an interval.
    for (const [restarts, how] of [
      [1, 'systemctl stop rachel8'],
      [2, 'kill -9 $(systemctl show -p MainPID --value rachel8)'],
    ] as const) {
      await vps.run(how);
      await expect.poll(ward.outcomes).toEqual(Array<string>(restarts).fill('succeeded'));
      expect(await vps.isActive()).toBe(true);
    }
  });

  it('is unreachable while its network drops everything, and well after it', async () => {
    const ward = await openRigWard(vps, user);
    await ward.sweep();
    await vps.unplug();
    await ward.sweep();
    expect(ward.state()).toMatchObject({ reachable: false, consecutiveFailures: 1 });
    await vps.plug();
    await expect.poll(() => healthyAfterSweep(ward)).toBe('healthy');
    expect(ward.outcomes()).toEqual([]);
  });

  it('is not started while its unit is masked', async () => {
    const ward = await openRigWard(vps, user);
    await ward.sweep();
    const unit = '/lib/systemd/system/rachel8.service';
    await vps.run(
      `mv ${unit} /root/unit && ln -s /dev/null ${unit} && systemctl daemon-reload && systemctl stop rachel8`,
    );
    await ward.sweep();
    expect(ward.state()).toMatchObject({ lastErrorCode: 'unit_masked' });
    expect(await vps.isActive()).toBe(false);
    await vps.run(`rm ${unit} && mv /root/unit ${unit} && systemctl daemon-reload && systemctl start rachel8`);
    await ward.sweep();
    expect(ward.state()).toMatchObject({ status: 'healthy' });
  });

  it('is said to refuse the login where that is taken away', async () => {
    const ward = await openRigWard(vps, user);
    await ward.sweep();
    const keys = `/home/${user}/.ssh/authorized_keys`;
    await vps.run(`mv ${keys} /root/keys && pkill -9 -f "^sshd: ${user}"; true`);
    await ward.sweep();
    expect(ward.state()).toMatchObject({ lastErrorCode: 'auth_rejected' });
    await vps.run(`mv /root/keys ${keys}`);
  });

  it('is not taken for another machine that has got its address', async () => {
    const ward = await openRigWard(vps, user);
    await ward.sweep();
    await vps.run('rm /etc/ssh/ssh_host_* && ssh-keygen -A');
    await vps.powerOff();
    await vps.boot();
    await ward.sweep();
    expect(ward.state()).toMatchObject({ lastErrorCode: 'host_key_changed' });
  });
});

describe('a login that may only read, on a real machine', () => {
  const vps = new RigMachine(103);
  beforeAll(() => vps.boot());

  it('is looked at over the bus, and said to have no right to restart', async () => {
    const ward = await openRigWard(vps, 'plain');
    await ward.sweep();
    expect(ward.state()).toMatchObject({ status: 'healthy', linkKind: 'bus' });
    await vps.run('systemctl stop rachel8');
    await ward.sweep();
    expect(ward.state()).toMatchObject({ status: 'unhealthy', lastErrorCode: 'restart_refused' });
  });
});

async function healthyAfterSweep(ward: RigWard): Promise<string | undefined> {
  await ward.sweep();
  return ward.state()?.status;
}

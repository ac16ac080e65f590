import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { App } from '../../src/lib/app.ts';
import { LOCAL_OPERATOR } from '../../src/lib/auth/actor.ts';
import type { StepOutcome } from '../../src/lib/facts/preflight.ts';
import { addNotReady, boardVps, loginLineOf, recipeOf, tryVps } from '../../src/lib/fleet-admin/board.ts';
import { parseVps } from '../../src/lib/fleet-admin/new-vps.ts';
import { linksOf } from '../../src/lib/monitoring/links.ts';
import { inTerminal } from '../../src/lib/parsing/problems.ts';
import { UnitBus } from '../../src/lib/provisioning/bus/unit-bus.ts';
import { makePrivateKey } from '../../src/lib/provisioning/private-key.ts';
import type { Recipe } from '../../src/lib/provisioning/rules/rights.ts';
import { SSHSession } from '../../src/lib/provisioning/ssh-session.ts';
import { RIG_DIR, RigMachine } from './machine.ts';
import { openScratchApp, stateOf, sweepOnce } from '../support/scratch-app.ts';

const LOGIN = 'warder';
const PATIENCE = { timeoutMs: 10_000 };
const machine = new RigMachine(200);

describe('on a real machine', () => {
  beforeAll(() => machine.boot());
  /** Runs a script there as root; `args` are its own. */
  function asRoot(script: string, ...args: string[]): { readonly status: number | null; readonly said: string } {
    const pid = readFileSync(join(RIG_DIR, `vps${machine.number}/pid`), 'utf8').trim();
    const given = ['-t', pid, '-a', 'sh', '-s', ...args];
    const { status, stdout, stderr } = spawnSync('nsenter', given, { input: script, encoding: 'utf8' });
    return { status, said: stdout + stderr };
  }
  /** Runs a command there as the login itself, without SSH and what it forbids. */
  const asLogin = (command: string): number | null => asRoot(`runuser -u ${LOGIN} -- ${command} </dev/null`).status;

  async function openFleet(user = LOGIN): Promise<{ app: App; id: string; userId: string; privateKey: string }> {
    const scratch = await openScratchApp({ ALLOWED_ADDRESSES: 'private', RESTART_SETTLE_MS: '500' });
    onTestFinished(() => scratch.close());
    const { app } = scratch;
    const privateKey = makePrivateKey();
    const parsed = parseVps({ customer: 'rig@example.com', host: machine.host, user, privateKey });
    if ('problems' in parsed) throw new Error(inTerminal(parsed.problems).join('; '));
    const added = await addNotReady(app, LOCAL_OPERATOR, parsed.vps, 'new');
    return { app, ...added, privateKey };
  }
  const rightsOf = (outcomes: readonly StepOutcome[]) => outcomes.find(({ step }) => step === 'rights');
  const openSession = (privateKey: string) =>
    SSHSession.open({ host: machine.host, username: LOGIN, privateKey }, PATIENCE);

  /** Runs the recipe there, twice, and tries the VPS. */
  async function apply(fleet: Awaited<ReturnType<typeof openFleet>>, recipe: Recipe): Promise<string> {
    const { script } = recipeOf(fleet.app, LOCAL_OPERATOR, fleet.id, { recipe });
    expect(asRoot(script)).toEqual({ status: 0, said: expect.stringMatching(/^Done: /) as string });
    const files = `stat -c '%n %Y %a %U' /etc/sudoers.d/* /etc/polkit-1/rules.d/* /home/${LOGIN}/.ssh/authorized_keys; cat /home/${LOGIN}/.ssh/authorized_keys`;
    const before = asRoot(files).said;
    expect(asRoot(script).status).toBe(0);
    expect(asRoot(files).said).toBe(before);
    const { passed, outcomes } = await tryVps(fleet.app, LOCAL_OPERATOR, fleet.id, {});
    expect(outcomes.filter(({ verdict }) => verdict === 'failed')).toEqual([]);
    expect(passed).toBe(true);
    // No more than needed: a note would say what.
    expect(rightsOf(outcomes)).toMatchObject({
      verdict: 'passed',
      saw: expect.stringContaining(`(recipe ${recipe})`) as string,
    });
    return script;
  }

  /** Kills the service, sweeps, and sees that it is healed; then that a right which is gone is noticed. */
  async function healThenLose({ app, userId }: Awaited<ReturnType<typeof openFleet>>, takeAway: string): Promise<void> {
    linksOf(app).keep(() => undefined);
    onTestFinished(() => linksOf(app).endKeeping());
    await sweepOnce(app);
    expect(stateOf(app, userId)).toMatchObject({ status: 'healthy', linkKind: 'bus' });
    asRoot('systemctl kill -s KILL rachel8; while systemctl is-active -q rachel8; do sleep 0.05; done');
    await sweepOnce(app);
    expect(stateOf(app, userId)).toMatchObject({ status: 'healthy', totalRecoveries: 1 });

    asRoot(`${takeAway}; sleep 1; pkill -u ${LOGIN} sshd`);
    await sweepOnce(app);
    expect(stateOf(app, userId)).toMatchObject({ status: 'healthy', linkLimit: 'not_healable' });
  }

  async function expectTakenBack({ app, id }: Awaited<ReturnType<typeof openFleet>>, script: string): Promise<void> {
    expect(asRoot(script, 'undo')).toEqual({ status: 0, said: 'Taken back.\n' });
    expect(asRoot(script, 'undo').status).toBe(0);
    const left = `ls /etc/sudoers.d/wardround /etc/polkit-1/rules.d/50-wardround.rules; id ${LOGIN}`;
    expect(asRoot(left).said.match(/No such file|no such user/g)).toHaveLength(3);
    const { outcomes } = await tryVps(app, LOCAL_OPERATOR, id, {});
    expect(outcomes.find(({ verdict }) => verdict === 'failed')?.step).toBe('login');
  }

  it('the recipe bus allows these calls and no others, heals, is missed when it is gone, and is taken back', async () => {
    const fleet = await openFleet();
    const script = await apply(fleet, 'bus');

    const session = await openSession(fleet.privateKey);
    onTestFinished(async () => {
      await session.close();
    });
    expect(await session.mayForward(PATIENCE)).toBe(false);
    const unit = await UnitBus.open(session, 'rachel8', {
      ...PATIENCE,
      listener: { onState: () => undefined, onEnd: () => undefined },
    });
    expect(await unit.start(PATIENCE)).toBe('done');
    expect(await unit.restart(PATIENCE)).toBe('done');
    await unit.resetFailed(PATIENCE);
    const shell = await openSession(fleet.privateKey);
    onTestFinished(async () => {
      await shell.close();
    });
    expect(await shell.run('id', PATIENCE).catch(() => ({ stdout: '' }))).toMatchObject({ stdout: '' });

    // The same login in earnest: what the rule of polkit does not name is refused to it.
    const allowed = [
      'systemctl start rachel8',
      'systemctl restart rachel8',
      'systemctl reset-failed rachel8',
      'systemctl status rachel8',
    ];
    const refused = [
      'systemctl stop rachel8',
      'systemctl kill rachel8',
      'systemctl reload-or-restart rachel8',
      'systemctl try-restart rachel8',
      'systemctl set-property --runtime rachel8 CPUWeight=50',
      'systemctl freeze rachel8',
      'systemctl clean rachel8',
      'systemctl restart ssh',
      'systemctl start systemd-tmpfiles-clean.service',
      'systemctl stop systemd-journald.socket',
      'systemctl daemon-reload',
      'systemctl mask rachel8',
      'systemctl disable rachel8',
      'systemd-run true',
      'systemd-run --unit=rachel8-more true',
      'systemd-run --unit=rachel8 --replace true',
      'busctl set-property org.freedesktop.systemd1 /org/freedesktop/systemd1 org.freedesktop.systemd1.Manager LogLevel s debug',
      'sudo -n true',
      'su -c true',
    ];
    const run = (command: string): boolean =>
      asLogin(command.replace(/^(systemctl|systemd-run)/, '$1 --no-ask-password')) === 0;
    expect(allowed.map((command) => [command, run(command)])).toEqual(allowed.map((command) => [command, true]));
    expect(refused.map((command) => [command, run(command)])).toEqual(refused.map((command) => [command, false]));

    await healThenLose(fleet, 'rm /etc/polkit-1/rules.d/50-wardround.rules');
    await expectTakenBack(fleet, script);
  });

  it('the recipe sudo allows these commands and no others, heals, is missed when it is gone, and is taken back', async () => {
    const fleet = await openFleet();
    const script = await apply(fleet, 'sudo');

    const session = await openSession(fleet.privateKey);
    onTestFinished(async () => {
      await session.close();
    });
    expect(await session.mayForward(PATIENCE)).toBe(false);
    const run = async (command: string): Promise<boolean> =>
      (await session.run(`${command} </dev/null`, PATIENCE)).exitCode === 0;
    const allowed = [
      'sudo -n systemctl is-active rachel8',
      'sudo -n systemctl restart rachel8',
      'sudo -n systemctl reset-failed rachel8',
      'sudo -n journalctl --unit=rachel8 --lines=50 --no-pager --quiet --output=short-iso',
    ];
    const refused = [
      'sudo -n systemctl stop rachel8',
      'sudo -n systemctl start rachel8',
      'sudo -n systemctl kill rachel8',
      'sudo -n systemctl edit rachel8',
      'sudo -n systemctl restart ssh',
      'sudo -n systemctl restart rachel8 ssh',
      'sudo -n systemctl restart --force rachel8',
      'sudo -n systemctl is-active rachel8 --host=elsewhere',
      'sudo -n systemctl is-active ssh',
      'sudo -n systemctl',
      'sudo -n journalctl',
      'sudo -n journalctl --unit=rachel8',
      'sudo -n journalctl --unit=ssh --lines=50 --no-pager --quiet --output=short-iso',
      'sudo -n sh -c true',
      'sudo -n -s true',
      'sudo -n -u rachel true',
      'sudo -n visudo -c',
      'systemctl --no-ask-password stop rachel8',
    ];
    for (const command of allowed) expect([command, await run(command)]).toEqual([command, true]);
    for (const command of refused) expect([command, await run(command)]).toEqual([command, false]);

    await healThenLose(fleet, 'rm /etc/sudoers.d/wardround');
    await expectTakenBack(fleet, script);
  });

  it('root works, and counts as more rights than needed', async () => {
    const { app, id } = await openFleet('root');
    expect(asRoot(loginLineOf(app, LOCAL_OPERATOR, id).command).status).toBe(0);
    onTestFinished(() => void asRoot('sed -i "/ wardround$/d" /root/.ssh/authorized_keys'));
    const { passed, outcomes } = await tryVps(app, LOCAL_OPERATOR, id, {});
    expect(passed).toBe(true);
    expect(rightsOf(outcomes)).toMatchObject({
      verdict: 'noted',
      why: expect.stringMatching(/everything, as it is root/) as string,
    });
  });

  it.each([
    [
      'a rule without its verbs',
      `subject.user == '${LOGIN}' && action.lookup('unit') == 'rachel8.service'`,
      /stop this service/,
    ],
    [
      'a rule without its unit',
      `subject.user == '${LOGIN}' && action.lookup('verb') == 'restart' || action.lookup('verb') == 'start'`,
      /restart other services/,
    ],
    ['a rule without either', `subject.user == '${LOGIN}'`, /stop this service and restart other services/],
  ])('%s is seen, and nothing is changed by looking', async (_, condition, beyond) => {
    const fleet = await openFleet();
    await apply(fleet, 'bus');
    const rule = `polkit.addRule(function (action, subject) { if (action.id == 'org.freedesktop.systemd1.manage-units' && (${condition})) return polkit.Result.YES; });`;
    asRoot(`cat >/etc/polkit-1/rules.d/50-wardround.rules <<'RULE'\n${rule}\nRULE\nsleep 1`);
    const state =
      'systemctl show rachel8 systemd-journald -.slice -p InvocationID,ActiveState,StateChangeTimestampMonotonic';
    const before = asRoot(state).said;
    const { passed, outcomes } = await tryVps(fleet.app, LOCAL_OPERATOR, fleet.id, {});
    expect(passed).toBe(true);
    expect(rightsOf(outcomes)).toMatchObject({ verdict: 'noted', why: expect.stringMatching(beyond) as string });
    expect(asRoot(state).said).toBe(before);
  });

  it('a login without any right is not taken, whether the service runs or not, and nothing is started', async () => {
    const fleet = await openFleet();
    const { script } = recipeOf(fleet.app, LOCAL_OPERATOR, fleet.id, { recipe: 'bus' });
    asRoot(`${script}\nrm "$rules"; systemctl stop rachel8; sleep 1`);
    onTestFinished(() => void asRoot('systemctl start rachel8'));
    const { passed, outcomes } = await tryVps(fleet.app, LOCAL_OPERATOR, fleet.id, {});
    expect(passed).toBe(false);
    expect(rightsOf(outcomes)).toMatchObject({
      verdict: 'failed',
      command: { on: 'here', text: `wardround vps recipe ${machine.host}` },
    });
    expect(asRoot('systemctl is-active rachel8').said).toBe('inactive\n');
  });

  it('an older polkit is refused with the reason, and nothing is done', async () => {
    const fleet = await openFleet();
    asRoot(
      `userdel -r ${LOGIN}; rm -f /etc/polkit-1/rules.d/50-wardround.rules; printf '#!/bin/sh\\necho pkaction version 0.105\\n' >/usr/local/bin/pkaction; chmod 755 /usr/local/bin/pkaction`,
    );
    onTestFinished(() => void asRoot('rm /usr/local/bin/pkaction'));
    const { script } = recipeOf(fleet.app, LOCAL_OPERATOR, fleet.id, { recipe: 'bus' });
    const { status, said } = asRoot(script);
    expect(status).toBe(1);
    expect(said).toMatch(/^polkit 0\.105 is too old: its \.pkla files see neither unit nor verb/);
    expect(asRoot(`id ${LOGIN}`).status).toBe(1);
  });

  it('a VPS is on board within seconds', async () => {
    const { app, id, privateKey } = await openFleet();
    await apply({ app, id, userId: '', privateKey }, 'bus');
    const other = await openScratchApp({ ALLOWED_ADDRESSES: 'private' });
    onTestFinished(() => other.close());
    const parsed = parseVps({ customer: 'again@example.com', host: machine.host, user: LOGIN, privateKey });
    if ('problems' in parsed) throw new Error('described wrongly');
    const beganAtMs = performance.now();
    expect((await boardVps(other.app, LOCAL_OPERATOR, parsed.vps, { notReady: false })).passed).toBe(true);
    expect(performance.now() - beganAtMs).toBeLessThan(20_000);
  });
});

import { beforeAll, describe, expect, it } from 'vitest';
import type { App } from '../../src/lib/app.ts';
import { LOCAL_OPERATOR } from '../../src/lib/auth/actor.ts';
import { subscriptions } from '../../src/lib/db/schema.ts';
import { makeAuthority } from '../../src/lib/fleet-admin/authority.ts';
import { certificateLinesOf, tryVps } from '../../src/lib/fleet-admin/board.ts';
import { RigMachine } from './machine.ts';
import { openRigWard } from './ward.ts';

const SETUP = '/root/wardround.sh';
const CONFIG = '/etc/ssh/sshd_config.d/50-wardround.conf';

/** From now on no key is stored, and the machine is told to take certificates, by the script that is printed for it. */
async function moveToCertificates(app: App, vps: RigMachine): Promise<string> {
  await makeAuthority(app, LOCAL_OPERATOR);
  app.db.update(subscriptions).set({ sshLogin: 'certificate', sshPrivateKey: null }).run();
  const id = app.db.select().from(subscriptions).get()?.id ?? '';
  const lines = await certificateLinesOf(app, LOCAL_OPERATOR, id);
  const script = Buffer.from(lines?.script ?? '').toString('base64');
  await vps.run(`echo ${script} | base64 -d > ${SETUP} && sh ${SETUP} && cp ${CONFIG} /root/once && sh ${SETUP}`);
  expect(await vps.run(`cmp ${CONFIG} /root/once && echo same`)).toBe('same');
  return id;
}

describe.for(['root', 'rachel'])('%s, logged in to by certificate on a real machine', (user) => {
  const vps = new RigMachine(130);
  beforeAll(() => vps.boot());

  it('is watched over the bus, started on its news, and shut out again by the undo', async () => {
    const ward = await openRigWard(vps, user);
    const id = await moveToCertificates(ward.app, vps);
    await vps.run(`sed -i 's/# PermitRootLogin/PermitRootLogin/' ${CONFIG} && systemctl reload ssh`);
    // sshd starts anew each time, and nobody listens meanwhile.
    const failure = async (): Promise<string | undefined> =>
      (await tryVps(ward.app, LOCAL_OPERATOR, id, {})).outcomes.find(({ verdict }) => verdict === 'failed')?.saw;
    await expect.poll(failure).toBeUndefined();
    const { outcomes } = await tryVps(ward.app, LOCAL_OPERATOR, id, {});
    // No shell beside the bus: what is none of ours was tried, and refused.
    expect(outcomes.find(({ step }) => step === 'rights')?.why).not.toContain('(a shell)');
    await ward.sweep();
    expect(ward.state()).toMatchObject({ status: 'healthy', linkKind: 'bus' });
    await vps.run('kill -9 $(systemctl show -p MainPID --value rachel8)');
    await expect.poll(ward.outcomes).toEqual(['succeeded']);
    expect(await vps.isActive()).toBe(true);
    expect(await vps.run(`sh ${SETUP} undo && ls ${CONFIG} 2>&1 || true`)).toContain('No such file');
    await expect.poll(failure).toContain('with a certificate for');
  });
});

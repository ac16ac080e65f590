import { describe, expect, it } from 'vitest';
import { linksOf } from '../src/lib/monitoring/links.ts';
import { removeVps } from '../src/lib/fleet-admin/fleet-admin.ts';
import { subscriptions } from '../src/lib/db/schema.ts';
import { LOCAL_OPERATOR } from '../src/lib/auth/actor.ts';
import { openLinkedWard, type LinkedWard } from './support/linked-ward.ts';

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
    expect(
      ward.vpss.map(({ id }) => linksOf(ward.app).factsOf(id)?.limit).filter((limit) => limit === 'full'),
    ).toHaveLength(1);
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

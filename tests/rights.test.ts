import { describe, expect, it, onTestFinished } from 'vitest';
import { healthEvents, notifications } from '../src/lib/db/schema.ts';
import { linksOf } from '../src/lib/monitoring/links.ts';
import { addUser } from './support/account-app.ts';
import { openWard, type Ward } from './support/scratch-app.ts';

async function openKeptWard(): Promise<Ward> {
  const ward = await openWard({ environment: { SSH_LINK: 'kept' } });
  await addUser(ward.app, 'admin@example.test', { role: 'admin' });
  linksOf(ward.app).keep(() => undefined);
  onTestFinished(() => linksOf(ward.app).endKeeping());
  await ward.sweep();
  expect(ward.state()).toMatchObject({ status: 'healthy', linkKind: 'kept', linkLimit: 'setting' });
  return ward;
}
const journalOf = ({ app }: Ward) =>
  app.db
    .select()
    .from(healthEvents)
    .all()
    .filter(({ kind }) => kind === 'rights_lost');
const toldOf = ({ app }: Ward) =>
  app.db
    .select()
    .from(notifications)
    .all()
    .filter(({ kind }) => kind === 'access_rejected');

describe('a machine whose rights are taken away later', () => {
  it('is noticed while its service runs, and admins are told once', async () => {
    const ward = await openKeptWard();
    ward.host.refuseSudo('restart', 'sudo: a password is required');
    await ward.sweep();
    // A connection that is kept is not asked again and again: an hour at most, and with the next one.
    expect(ward.state()?.linkLimit).toBe('setting');
    ward.host.breakConnections();
    await ward.sweep();
    expect(ward.state()).toMatchObject({ status: 'healthy', consecutiveFailures: 0, linkLimit: 'not_healable' });
    expect(journalOf(ward)).toMatchObject([
      { detail: { message: expect.stringContaining('it stays stopped') as string } },
    ]);
    expect(toldOf(ward)).toMatchObject([
      {
        audience: 'admin',
        facts: {
          cause: 'restart_refused',
          error: expect.stringContaining('neither a rule of polkit nor sudo') as string,
        },
      },
    ]);
    expect(ward.host.count('restart')).toBe(0);

    ward.host.breakConnections();
    await ward.sweep();
    expect(toldOf(ward)).toHaveLength(1);
    // Given back, it is as before.
    ward.host.refuseSudo('nothing', '');
    ward.host.breakConnections();
    await ward.sweep();
    expect(ward.state()?.linkLimit).not.toBe('not_healable');
  });

  it('is asked once for each connection, and nothing is asked over one that is not kept', async () => {
    const asked = ({ host }: Ward): number => host.commands().filter((line) => line.startsWith('sudo -n -l ')).length;
    const ward = await openKeptWard();
    await ward.sweep();
    await ward.sweep();
    expect(asked(ward)).toBe(1);
    const fresh = await openWard();
    await fresh.sweep();
    expect(asked(fresh)).toBe(0);
  });
});

import { describe, expect, it } from 'vitest';
import { addUser, openAccountApp } from '../../../tests/support/account-app.ts';
import { LOCAL_OPERATOR } from '../auth/actor.ts';
import { healthChecks, restartAttempts, subscriptions } from '../db/schema.ts';
import { findVps, listRestartLedger, listVps, readVps } from './fleet-read.ts';

describe('what a customer gets to see', () => {
  it('is the plain meaning of an error, of the own VPS only; an admin sees what the machine said', async () => {
    const { app } = await openAccountApp();
    const RAW = 'sudo: raw words of the machine';
    const [anna, bert] = [
      await addUser(app, 'a@example.test', { password: false }),
      await addUser(app, 'b@example.test', { password: false }),
    ];
    for (const userId of [anna, bert]) {
      app.db
        .insert(subscriptions)
        .values({ id: `vps-${userId}`, userId, vpsIpAddress: '192.0.2.1' })
        .run();
      const link = { linkKind: 'kept', linkSince: new Date(0), linkLimit: 'no_bridge', linkDetail: RAW } as const;
      app.db
        .insert(healthChecks)
        .values({ userId, lastError: RAW, lastErrorCode: 'sudo_refused', ...link })
        .run();
      app.db
        .insert(restartAttempts)
        .values({ userId, intendedAt: new Date(0), outcome: 'failed', detail: RAW })
        .run();
    }
    const customer = { role: 'customer', userId: anna } as const;
    const now = new Date();
    const seen = {
      listed: listVps(app, customer, now),
      found: findVps(app, customer, '192.0.2.1', now),
      read: readVps(app, customer, `vps-${anna}`, now),
      restarts: listRestartLedger(app, customer, `vps-${anna}`, 9),
    };
    expect(seen.listed.map(({ userId }) => userId)).toEqual([anna]);
    expect(seen.found).toHaveLength(1);
    expect(seen.read?.lastError).toBe('the service could not be checked; our team has to look');
    expect(seen.restarts).toHaveLength(1);
    expect(JSON.stringify(seen)).not.toContain(RAW);
    expect(readVps(app, customer, `vps-${bert}`, now)).toBeUndefined();
    expect(listRestartLedger(app, customer, `vps-${bert}`, 9)).toEqual([]);
    expect(readVps(app, LOCAL_OPERATOR, `vps-${bert}`, now)).toMatchObject({ lastError: RAW, link: { detail: RAW } });
    expect(listRestartLedger(app, LOCAL_OPERATOR, `vps-${bert}`, 9)[0]?.detail).toBe(RAW);
  });
});

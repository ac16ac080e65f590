import { expect, it, onTestFinished } from 'vitest';
import { openScratchApp } from '../../../tests/support/scratch-app.ts';
import type { Actor } from '../auth/actor.ts';
import { acceptOutage, setHealing } from '../monitoring/monitor-state.ts';
import { retryFailed } from '../notifications/outbox-upkeep.ts';
import type { NewWindow } from './maintenance-request.ts';
import type { NewVps } from './new-vps.ts';
import { addVps, cancelWindow, endMaintenance, planMaintenance, removeVps, repinHostKey } from './fleet-admin.ts';

const CUSTOMER: Actor = { role: 'customer', userId: 'user-anna' };
const VPS = { id: 'vps-anna', userId: 'user-anna', host: '10.0.0.1' };
const NOW = new Date();

it('nothing of the fleet is changed for a customer, whatever a page lets through', async () => {
  const scratch = await openScratchApp();
  onTestFinished(() => scratch.close());
  const { app } = scratch;
  const attempts: (() => Promise<unknown>)[] = [
    () => addVps(app, CUSTOMER, { email: 'a@example.test', privateKey: '' } as NewVps),
    () => removeVps(app, CUSTOMER, VPS),
    () => planMaintenance(app, CUSTOMER, VPS, {} as NewWindow),
    () => endMaintenance(app, CUSTOMER, VPS, NOW),
    () => cancelWindow(app, CUSTOMER, VPS, 'window-1'),
    () => repinHostKey(app, CUSTOMER, VPS, { kind: 'next' }),
    () => setHealing(app.db, CUSTOMER, 'on'),
    () => acceptOutage(app.db, CUSTOMER),
    () => retryFailed(app.db, CUSTOMER, null, NOW),
  ];
  for (const attempt of attempts) await expect(attempt()).rejects.toThrow('only an admin may do that');
});

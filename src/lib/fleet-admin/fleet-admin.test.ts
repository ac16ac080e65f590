import { expect, it, onTestFinished } from 'vitest';
import { addTestVps, openScratchApp } from '../../../tests/support/scratch-app.ts';
import { newKeyPair } from '../../../demo/key-pair.ts';
import type { Actor } from '../auth/actor.ts';
import { LOCAL_OPERATOR } from '../auth/actor.ts';
import { healthEvents, maintenanceWindows } from '../db/schema.ts';
import { acceptOutage, setHealing } from '../monitoring/monitor-state.ts';
import { retryFailed } from '../notifications/outbox-upkeep.ts';
import { listVps } from '../views/fleet-read.ts';
import { addVps, removeVps, repinHostKey } from './fleet-admin.ts';
import { inTerminal } from '../parsing/problems.ts';
import { parseMaintenance } from './maintenance-request.ts';
import type { NewVps } from './new-vps.ts';
import { cancelWindow, checkNow, endMaintenance, planMaintenance, resetCircuit, setVpsHealing } from './vps-actions.ts';

const NOW = new Date();

it('nothing of the fleet is changed for a customer, whatever a page lets through', async () => {
  const scratch = await openScratchApp();
  onTestFinished(() => scratch.close());
  const { app } = scratch;
  const { id, userId } = await addTestVps(app, { port: 22, privateKey: newKeyPair().private });
  const parsed = parseMaintenance({}, NOW);
  if ('problems' in parsed) throw new Error(inTerminal(parsed.problems).join());
  const { window } = parsed;
  await planMaintenance(app, LOCAL_OPERATOR, [id], window);
  const [planned] = app.db.select().from(maintenanceWindows).all();
  const before = [listVps(app, LOCAL_OPERATOR, NOW), app.db.select().from(healthEvents).all()];

  // Its own customer: whoever sees a VPS may not change it.
  const customer: Actor = { role: 'customer', userId };
  const attempts: (() => Promise<unknown>)[] = [
    () => addVps(app, customer, { email: 'a@example.test', privateKey: '' } as NewVps),
    () => removeVps(app, customer, id),
    () => planMaintenance(app, customer, [id], window),
    () => endMaintenance(app, customer, [id], NOW),
    () => cancelWindow(app, customer, id, planned?.id ?? ''),
    () => repinHostKey(app, customer, id, { kind: 'next' }),
    () => checkNow(app, customer, [id]),
    () => resetCircuit(app, customer, [id], NOW),
    () => setVpsHealing(app, customer, [id], false, NOW),
    () => setHealing(app.db, customer, 'on'),
    () => acceptOutage(app.db, customer),
    () => retryFailed(app.db, customer, null, NOW),
  ];
  for (const attempt of attempts) await expect(attempt()).rejects.toThrow(/only an admin may do that|no such VPS/);
  expect([listVps(app, LOCAL_OPERATOR, NOW), app.db.select().from(healthEvents).all()]).toEqual(before);
});

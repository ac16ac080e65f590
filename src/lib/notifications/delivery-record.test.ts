import { expect, it } from 'vitest';
import { openAccountApp } from '../../../tests/support/account-app.ts';
import { addUser, BEGAN_MS, outboxOf, put, vpsFacts } from '../../../tests/support/outbox.ts';
import { takeLease } from '../db/lease.ts';
import { record } from './delivery-record.ts';
import { claim } from './outbox.ts';
import { recoverSending } from './outbox-upkeep.ts';

const NOW = new Date(BEGAN_MS);
const WHEN = { nowMs: BEGAN_MS, random: 0.5, isShared: true };

it('what became of an attempt is written down as that attempt’s: not once another one has begun', async () => {
  const { app } = await openAccountApp();
  const to = addUser(app, 'ada@example.test');
  await put(app, { to, kind: 'down', facts: vpsFacts('192.0.2.1'), atMs: BEGAN_MS });
  const lease = await takeLease(app.db, 'notifier', 'this test');
  if ('takenBy' in lease) throw new Error('the lease is taken');
  const id = outboxOf(app)[0]?.id ?? '';
  const attempt = async () => {
    const claimed = await claim(app.db, lease, id, NOW);
    if (claimed === null) throw new Error('there is nothing to claim');
    return claimed;
  };

  const first = await attempt();
  // Its process is taken for dead, and the next one has begun.
  await recoverSending(app.db, [], NOW);
  const second = await attempt();
  const [sending] = outboxOf(app);
  expect(sending).toMatchObject({ status: 'sending', attempts: 2 });
  await record(app.db, first, { outcome: 'retry', reason: 'the mail server hung up' }, WHEN);
  await record(app.db, first, { outcome: 'rejected', reason: 'no such mailbox' }, WHEN);
  expect(outboxOf(app)).toEqual([sending]);

  await record(app.db, second, { outcome: 'sent' }, WHEN);
  expect(outboxOf(app)).toMatchObject([{ status: 'sent', attempts: 2, sentAt: NOW, claimedBy: null }]);
});

it('counts, where the message was put back meanwhile and nobody has it', async () => {
  const { app } = await openAccountApp();
  const to = addUser(app, 'ada@example.test');
  await put(app, { to, kind: 'down', facts: vpsFacts('192.0.2.1'), atMs: BEGAN_MS });
  const lease = await takeLease(app.db, 'notifier', 'this test');
  if ('takenBy' in lease) throw new Error('the lease is taken');
  const claimed = await claim(app.db, lease, outboxOf(app)[0]?.id ?? '', NOW);
  if (claimed === null) throw new Error('there is nothing to claim');
  await recoverSending(app.db, [], NOW);
  await record(app.db, claimed, { outcome: 'sent' }, WHEN);
  expect(outboxOf(app)).toMatchObject([{ status: 'sent', attempts: 1 }]);
});

import { expect, it, onTestFinished } from 'vitest';
import { newKeyPair } from '../demo/key-pair.ts';
import { notifications, users } from '../src/lib/db/schema.ts';
import { takeLease } from '../src/lib/db/lease.ts';
import { createSender } from '../src/lib/notifications/sender.ts';
import { startMailServer } from './support/mail-server.ts';
import { addTestVps, createSilentLog, openScratchApp, sweepOnce } from './support/scratch-app.ts';

const FLEET = 100;
const CLOSED_PORT = 1;

it(`${FLEET} VPSs that fail at once are ${FLEET} mails to customers, and one to each of two admins`, async () => {
  const mail = await startMailServer();
  onTestFinished(() => mail.close());
  const scratch = await openScratchApp({ SMTP_URL: mail.url });
  onTestFinished(() => scratch.close());
  const { app } = scratch;
  for (const name of ['first', 'second'])
    app.db
      .insert(users)
      .values({ email: `${name}-admin@example.test`, role: 'admin' })
      .run();
  const { private: privateKey } = newKeyPair();
  // Never reachable, so that this is a storm and no outage of ours: nobody listens at port 1.
  for (let index = 1; index <= FLEET; index++)
    await addTestVps(app, { host: `127.9.0.${index}`, port: CLOSED_PORT, privateKey });

  const lease = await takeLease(app.db, 'notifier', 'this test');
  if ('takenBy' in lease) throw new Error(`taken by ${lease.takenBy.pid}`);
  let nowMs = Date.now();
  const log = createSilentLog();
  const sender = createSender(app, {
    tenure: () => lease,
    log,
    nowMs: () => nowMs,
    random: () => 0.5,
    timeoutMs: 5_000,
    concurrency: 8,
  });
  onTestFinished(() => sender.close());
  const deliver = async (): Promise<number> => {
    for (let before = -1; before !== mail.mails.length;) {
      before = mail.mails.length;
      nowMs = Math.max(nowMs, Date.now());
      await sender.round();
      await sender.idle();
    }
    return mail.mails.length;
  };
  const to = (pattern: RegExp): string[] =>
    mail.mails.flatMap(({ to }) => to).filter((address) => pattern.test(address));

  await sweepOnce(app);
  expect(await deliver()).toBe(0);
  await sweepOnce(app);
  expect(await deliver()).toBe(FLEET);
  expect(new Set(to(/^customer-/)).size).toBe(FLEET);

  await sweepOnce(app);
  // Within the window, admins wait.
  expect(await deliver()).toBe(FLEET);
  nowMs += 31_000;
  expect(await deliver()).toBe(FLEET + 2);
  expect(to(/admin@/).toSorted()).toEqual(['first-admin@example.test', 'second-admin@example.test']);
  expect(mail.mails.at(-1)?.subject).toContain(String(FLEET));

  // It goes on failing, and nobody hears more of it.
  await sweepOnce(app);
  nowMs += 31_000;
  expect(await deliver()).toBe(FLEET + 2);
  expect(
    new Set(
      app.db
        .select()
        .from(notifications)
        .all()
        .map(({ status }) => status),
    ),
  ).toEqual(new Set(['sent', 'digested']));
});

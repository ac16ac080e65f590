import { eq } from 'drizzle-orm';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LOCAL_OPERATOR } from '../src/lib/auth/actor.ts';
import { deliveryTroubles, healthEvents, notificationTargets, users } from '../src/lib/db/schema.ts';
import type { ChannelName, NotificationKind } from '../src/lib/facts/message.ts';
import { changePreference, readPreferences } from '../src/lib/notifications/preferences.ts';
import { sendTestMessage } from '../src/lib/notifications/test-message.ts';
import { readSettings } from '../src/lib/views/settings-read.ts';
import { startHttpReceiver, type HttpReceiver } from './support/http-receiver.ts';
import { startMailServer, type MailServer } from './support/mail-server.ts';
import {
  addUser,
  BEGAN_MS,
  createTestSender,
  MINUTE_MS,
  outboxOf,
  put,
  statuses,
  vpsFacts,
  type TestSender,
} from './support/outbox.ts';
import { openScratchApp, type ScratchApp } from './support/scratch-app.ts';

const SECRET = 'correct horse battery staple';
const TOKEN = '123456:AAtokenAAtokenAAtokenAA';

let mail: MailServer;
let receiver: HttpReceiver;
let scratch: ScratchApp;
let test: TestSender;
let admin: string;
let customer: string;

beforeEach(async () => {
  mail = await startMailServer();
  receiver = await startHttpReceiver();
  scratch = await openScratchApp({ SMTP_URL: mail.url, TELEGRAM_API_URL: receiver.url });
  test = await createTestSender(scratch.app, { timeoutMs: 2_000 });
  admin = addUser(scratch.app, 'root@admin.example', 'admin');
  customer = addUser(scratch.app, 'ada@customer.example');
});
afterEach(async () => {
  scratch.close();
  await receiver.close();
  await mail.close();
});

const userOf = (id: string) => {
  const user = scratch.app.db.select().from(users).where(eq(users.id, id)).get();
  if (!user) throw new Error(`no user ${id}`);
  return user;
};
const setTelegram = (id: string) =>
  changePreference(
    scratch.app,
    LOCAL_OPERATOR,
    { user: userOf(id), channel: 'telegram' },
    { enabled: true, bot: { token: TOKEN, chatId: '4711' } },
  );
const setWebhook = (id: string) =>
  changePreference(
    scratch.app,
    LOCAL_OPERATOR,
    { user: userOf(id), channel: 'webhook' },
    { address: `${receiver.url}/hook`, secret: SECRET },
  );
const preferenceOf = (id: string, channel: ChannelName) =>
  readPreferences(scratch.app, LOCAL_OPERATOR, id).find((preference) => preference.channel === channel);
let hosts = 0;
/** Something new to tell, now. */
const news = (to: string, kind: NotificationKind, channel: ChannelName) =>
  put(scratch.app, { to, kind, facts: vpsFacts(`vps-${++hosts}.example`), atMs: test.clock.nowMs, channel });
const pass = async (minutes: number): Promise<void> => {
  for (let minute = 0; minute < minutes; minute++) {
    test.clock.nowMs += MINUTE_MS;
    await test.deliver();
  }
};
const telegrams = (): string[] =>
  receiver.requests.flatMap(({ path, body }) =>
    path.includes('/sendMessage') ? [(JSON.parse(body) as { text: string }).text] : [],
  );

describe('a relay that refuses us', () => {
  it('costs no mail, is told to admins by another channel, once, and so is its end', async () => {
    await setTelegram(admin);
    addUser(scratch.app, 'second@admin.example', 'admin');
    await mail.behave({ at: 'rcpt', code: 554, says: '5.7.1 Relay access denied' });
    for (let n = 0; n < 29; n++) await news(customer, 'down', 'email');
    await pass(60);
    expect(statuses(scratch.app)).toMatchObject({ 'down pending': 29, 'monitor_fault_began sent': 1 });
    expect(telegrams()).toHaveLength(1);
    expect(telegrams()[0]).toContain('Nothing has got through by e-mail since 14:04 UTC.');
    expect(telegrams()[0]).toContain('Last seen: the mail server said to RCPT TO: 554 5.7.1 Relay access denied');
    expect(readSettings(scratch.app, LOCAL_OPERATOR)?.channels[0]).toMatchObject({
      name: 'email',
      trouble: { since: new Date(BEGAN_MS + MINUTE_MS), reason: expect.stringContaining('Relay access denied') },
    });

    await mail.behave('accept');
    await pass(32);
    expect(mail.mails).toHaveLength(29);
    expect(telegrams()).toHaveLength(2);
    expect(telegrams()[1]).toMatch(/^Nothing got through by e-mail from 14:04 to .* UTC .*; it works again\./);
    expect(scratch.app.db.select().from(deliveryTroubles).all()).toEqual([]);
    const journal = scratch.app.db.select().from(healthEvents).all();
    expect(journal.map(({ kind, detail }) => [kind, detail.fault, detail.channel])).toEqual([
      ['monitor_fault_began', 'delivery', 'email'],
      ['monitor_fault_ended', 'delivery', 'email'],
    ]);
  });

  it('is told together with its end where the other channel did not work either', async () => {
    await setTelegram(admin);
    receiver.answer((response) => response.writeHead(503).end());
    await mail.behave('refuse');
    for (let n = 0; n < 3; n++) await news(customer, 'down', 'email');
    await pass(15);
    const byTelegram = () =>
      outboxOf(scratch.app).flatMap(({ kind, status, channel }) =>
        channel === 'telegram' ? [`${kind} ${status}`] : [],
      );
    expect(byTelegram()).toEqual(['monitor_fault_began pending']);
    await mail.behave('accept');
    await pass(32);
    expect(byTelegram()).toEqual(['monitor_fault_began collapsed', 'monitor_fault_ended pending']);
    receiver.answer((response) => response.end('{"ok":true}'));
    const before = telegrams().length;
    await pass(32);
    expect(telegrams().slice(before)).toEqual([expect.stringMatching(/^Nothing got through by e-mail from/)]);
  });

  it('is over with a test that was taken', async () => {
    await mail.behave({ at: 'from', code: 550, says: '5.7.1 Not you' });
    await news(customer, 'down', 'email');
    await pass(10);
    expect(scratch.app.db.select().from(deliveryTroubles).all()).toMatchObject([{ lane: 'email', toldAt: null }]);
    await mail.behave('accept');
    const to = { to: 'root@admin.example', channel: 'email' } as const;
    expect(await sendTestMessage(scratch.app, LOCAL_OPERATOR, to)).toEqual({ outcome: 'sent' });
    expect(scratch.app.db.select().from(deliveryTroubles).all()).toEqual([]);
  });

  it('for five minutes only is not worth a message, nor is a mailbox that is full', async () => {
    await setTelegram(admin);
    await mail.behave('refuse');
    await news(customer, 'down', 'email');
    await pass(3);
    await mail.behave({ at: 'rcpt', code: 552, says: '5.2.2 Mailbox full' });
    await news(customer, 'recovered', 'email');
    await pass(60);
    expect(
      scratch.app.db
        .select()
        .from(deliveryTroubles)
        .all()
        .map(({ lane }) => lane),
    ).toContain(`email ${customer}`);
    expect(telegrams()).toEqual([]);
  });
});

describe('a target that refuses for good', () => {
  const answer = (status: number, body = ''): void =>
    receiver.answer((response, { path }) => response.writeHead(path === '/hook' ? status : 200).end(body));

  it('is switched off after three messages, in plain sight, and an admin hears of the own one by mail', async () => {
    await setWebhook(admin);
    answer(404);
    for (let n = 0; n < 2; n++) await news(admin, 'circuit_opened', 'webhook');
    await pass(2);
    expect(preferenceOf(admin, 'webhook')).toMatchObject({ enabled: true, trouble: { refusals: 2 } });
    for (let n = 0; n < 2; n++) await news(admin, 'circuit_opened', 'webhook');
    await pass(5);
    expect(preferenceOf(admin, 'webhook')).toMatchObject({
      enabled: false,
      trouble: { refusals: 3, reason: 'the webhook answered with status 404', switchedOffAt: expect.any(Date) },
    });
    // The fourth was not sent any more.
    expect(receiver.requests).toHaveLength(3);
    expect(outboxOf(scratch.app).map(({ lastError }) => lastError)).toContain(
      'switched off, since it refuses what is sent: the webhook answered with status 404',
    );
    expect(mail.mails.map(({ subject }) => subject)).toEqual(['The webhook of root@admin.example: switched off']);
    expect(mail.mails[0]?.text).toContain('wardround notify prefs root@admin.example --channel webhook --on');
    expect(readSettings(scratch.app, LOCAL_OPERATOR)?.channels[2]).toMatchObject({
      name: 'webhook',
      targets: [{ email: 'root@admin.example', switchedOffAt: expect.any(Date) }],
    });

    answer(204);
    await changePreference(scratch.app, LOCAL_OPERATOR, { user: userOf(admin), channel: 'webhook' }, { enabled: true });
    expect(preferenceOf(admin, 'webhook')).toMatchObject({ enabled: true, trouble: null });
    await news(admin, 'circuit_opened', 'webhook');
    await pass(2);
    expect(outboxOf(scratch.app).at(-1)).toMatchObject({ status: 'sent' });
  });

  it('of a customer is switched off too, and no admin is bothered', async () => {
    await setWebhook(customer);
    answer(410);
    await news(customer, 'down', 'webhook');
    await pass(3);
    expect(preferenceOf(customer, 'webhook')).toMatchObject({ enabled: false, trouble: { refusals: 1 } });
    expect(mail.mails).toEqual([]);
  });

  it('counts from the last message that was taken', async () => {
    await setWebhook(customer);
    for (const status of [404, 404, 200, 404, 404]) {
      answer(status);
      await news(customer, 'down', 'webhook');
      await pass(1);
    }
    expect(preferenceOf(customer, 'webhook')).toMatchObject({ enabled: true, trouble: { refusals: 2 } });
  });

  it('is a Telegram chat that has blocked the bot, and an address that is unknown three times', async () => {
    await setTelegram(customer);
    receiver.answer((response) =>
      response.writeHead(403).end('{"ok":false,"description":"Forbidden: bot was blocked by the user"}'),
    );
    await news(customer, 'down', 'telegram');
    await pass(1);
    expect(preferenceOf(customer, 'telegram')).toMatchObject({
      enabled: false,
      trouble: { reason: 'Telegram answered with status 403: Forbidden: bot was blocked by the user' },
    });
    await mail.behave({ at: 'rcpt', code: 550, says: '5.1.1 User unknown' });
    for (let n = 0; n < 3; n++) await news(customer, 'down', 'email');
    await pass(1);
    expect(preferenceOf(customer, 'email')).toMatchObject({ enabled: false, trouble: { refusals: 3 } });
    expect(scratch.app.db.select().from(notificationTargets).all()).toHaveLength(2);
  });

  it('stays on where an admin has no other', async () => {
    await mail.behave({ at: 'rcpt', code: 550, says: '5.1.1 User unknown' });
    for (let n = 0; n < 4; n++) await news(admin, 'circuit_opened', 'email');
    await pass(3);
    expect(preferenceOf(admin, 'email')).toMatchObject({
      enabled: true,
      trouble: { refusals: 4, switchedOffAt: null },
    });
  });
});

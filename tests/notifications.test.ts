import Sqlite from 'better-sqlite3';
import { eq } from 'drizzle-orm';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { notifications, users } from '../src/lib/db/schema.ts';
import { LeaseKeeper } from '../src/lib/db/lease-keeper.ts';
import { startDispatcher } from '../src/lib/notifications/dispatcher.ts';
import type { MessageFacts } from '../src/lib/facts/message.ts';
import { startMailServer, type MailServer } from './support/mail-server.ts';
import {
  addUser,
  BEGAN_MS,
  createTestSender,
  endedFacts,
  MINUTE_MS,
  outboxOf,
  put,
  statuses,
  vpsFacts,
  type TestSender,
} from './support/outbox.ts';
import { endWith, scratchEnvironment, startProcess, type RunningProcess } from './support/project.ts';
import { createSilentLog, openScratchApp, type ScratchApp } from './support/scratch-app.ts';

const MAIL_FROM = 'Wardround <monitor@wardround.example>';
const WINDOW_MS = 30_000;

let server: MailServer;
let scratch: ScratchApp;
let test: TestSender;
let customer: string;
let admin: string;

beforeEach(async () => {
  server = await startMailServer();
  scratch = await openScratchApp({ SMTP_URL: server.url, MAIL_FROM, PUBLIC_URL: 'https://wardround.example' });
  test = await createTestSender(scratch.app);
  customer = addUser(scratch.app, 'ada@customer.example');
  admin = addUser(scratch.app, 'root@admin.example', 'admin');
});
afterEach(async () => {
  scratch.close();
  await server.close();
});

const down = (host = 'nordlys.example') =>
  ({ to: customer, kind: 'down', facts: vpsFacts(host), atMs: BEGAN_MS }) as const;
const up = (host = 'nordlys.example', atMs = BEGAN_MS + 77 * MINUTE_MS) =>
  ({ to: customer, kind: 'up', facts: endedFacts(host), atMs }) as const;
const opened = (host: string, atMs = BEGAN_MS) =>
  ({ to: admin, kind: 'circuit_opened', facts: vpsFacts(host), atMs }) as const;

/** Lets the clock run in steps of a minute, and sends what is due at each. */
async function pass(minutes: number): Promise<void> {
  for (let minute = 0; minute < minutes; minute++) {
    test.clock.nowMs += MINUTE_MS;
    await test.deliver();
  }
}

describe('a message', () => {
  it('arrives once, as text and HTML, with a stable id, the incident as its thread and a mark against auto-replies', async () => {
    await put(scratch.app, down(), down());
    await test.deliver();
    await test.deliver();
    expect(server.mails).toHaveLength(1);
    const [row] = outboxOf(scratch.app);
    const [mail] = server.mails;
    expect(mail).toMatchObject({
      to: ['ada@customer.example'],
      subject: 'nordlys.example does not answer',
      messageId: `<${row?.id}@wardround.example>`,
    });
    expect(mail?.text).toContain('Your server nordlys.example has not answered since 14:03 UTC.');
    expect(mail?.text).toContain('https://wardround.example/incidents/incident-nordlys.example');
    expect(mail?.html).toContain('href="https://wardround.example/incidents/incident-nordlys.example"');
    expect(mail?.text).not.toContain('no answer within');
    expect(mail?.headers.get('from')).toBe(MAIL_FROM);
    expect(mail?.headers.get('auto-submitted')).toBe('auto-generated');
    expect(mail?.headers.get('references')).toBe('<incident-nordlys.example@wardround.example>');
    expect(row).toMatchObject({ status: 'sent', attempts: 1, sentAt: new Date(BEGAN_MS), lastError: null });
  });

  it('goes to the address that is right at the time of sending', async () => {
    await put(scratch.app, down());
    scratch.app.db.update(users).set({ email: 'ada@new.example' }).where(eq(users.id, customer)).run();
    await test.deliver();
    expect(server.mails[0]?.to).toEqual(['ada@new.example']);
  });

  it('keeps its beginning and its end in one thread', async () => {
    await put(scratch.app, down());
    await test.deliver();
    await put(scratch.app, up());
    await pass(80);
    expect(server.mails.map(({ subject }) => subject)).toEqual([
      'nordlys.example does not answer',
      'nordlys.example is running again',
    ]);
    expect(new Set(server.mails.map(({ headers }) => headers.get('in-reply-to'))).size).toBe(1);
    expect(server.mails[1]?.text).toContain('Your server did not answer from 14:03 to 15:20 UTC (77 min).');
  });
});

describe('a mail server that is down for two hours', () => {
  it('costs nothing but time: what is still true arrives afterwards, once each', async () => {
    await server.behave('refuse');
    await put(scratch.app, down('a.example'), down('b.example'));
    await pass(120);
    expect(server.mails).toEqual([]);
    expect(statuses(scratch.app)).toEqual({ 'down pending': 2 });
    for (const { attempts } of outboxOf(scratch.app)) expect(attempts).toBeLessThan(13);
    await server.behave('accept');
    await pass(31);
    expect(server.mails.map(({ subject }) => subject).toSorted()).toEqual([
      'a.example does not answer',
      'b.example does not answer',
    ]);
    await pass(60);
    expect(server.mails).toHaveLength(2);
    // One line when it began, one when it works again, one each that is sent.
    expect(test.lines).toHaveLength(4);
  });

  it('collapses what was overtaken meanwhile into one message that tells both', async () => {
    await server.behave('refuse');
    await put(scratch.app, down());
    await pass(78);
    await put(scratch.app, up());
    await pass(42);
    await server.behave('accept');
    await pass(31);
    expect(server.mails).toHaveLength(1);
    expect(server.mails[0]?.text).toContain(
      'Your server nordlys.example did not answer from 14:03 to 15:20 UTC (77 min); it is running now.',
    );
    const [begin, end] = outboxOf(scratch.app);
    expect(begin).toMatchObject({ kind: 'down', status: 'collapsed', toldBy: end?.id });
    expect(end).toMatchObject({ kind: 'up', status: 'sent' });
  });

  it('does not wait for a time to which the clock was ahead, and has been set back since', async () => {
    await server.behave('refuse');
    test.clock.nowMs = BEGAN_MS + 120 * MINUTE_MS;
    await put(
      scratch.app,
      { ...down('a.example'), atMs: test.clock.nowMs },
      { ...opened('b.example'), atMs: test.clock.nowMs + 1 },
    );
    await test.deliver();
    expect(outboxOf(scratch.app).map(({ attempts }) => attempts)).toEqual([1, 0]);
    await server.behave('accept');
    test.clock.nowMs = BEGAN_MS;
    await test.deliver();
    expect(server.mails.map(({ subject }) => subject)).toEqual([
      'a.example does not answer',
      'b.example: circuit opened',
    ]);
  });

  it('ends a message only after three days', async () => {
    await server.behave('refuse');
    await put(scratch.app, down());
    test.clock.nowMs = BEGAN_MS + 3 * 24 * 60 * MINUTE_MS - 1;
    await test.deliver();
    expect(statuses(scratch.app)).toEqual({ 'down pending': 1 });
    await pass(31);
    expect(outboxOf(scratch.app)[0]).toMatchObject({
      status: 'failed',
      lastError: expect.stringContaining('ECONNREFUSED'),
    });
  });
});

describe('a mail server', () => {
  it.each([
    ['takes the connection and hangs', 'hang', /^the mail server: GREETING_TIMEOUT/],
    ['takes the mail and hangs', 'hang_after_mail', /^the mail server: SOCKET_TIMEOUT/],
    ['says 450 to the recipient', { at: 'rcpt', code: 450 }, /^the mail server said to RCPT TO: 450 try again later/],
    ['says 451 to the mail', { at: 'data', code: 451 }, /^the mail server said to DATA: 451/],
    [
      'says 550 to the sender, which is ours to mend',
      { at: 'from', code: 550 },
      /^the mail server said to MAIL FROM: 550/,
    ],
    ['says 550 and nothing else to the recipient', { at: 'rcpt', code: 550 }, /^the mail server said to RCPT TO: 550/],
    [
      'does not relay for us',
      { at: 'rcpt', code: 554, says: '5.7.1 Relay access denied' },
      /RCPT TO: 554 5\.7\.1 Relay/,
    ],
    ['has had enough of us', { at: 'data', code: 552, says: '5.2.2 Quota exceeded' }, /DATA: 552 5\.2\.2/],
    ['has a policy', { at: 'data', code: 550, says: '5.7.26 Unauthenticated' }, /DATA: 550 5\.7\.26/],
    ['knows no such sender', { at: 'rcpt', code: 550, says: '5.1.8 Sender address rejected' }, /RCPT TO: 550 5\.1\.8/],
  ] as const)('that %s is tried again', async (_, behaviour, reason) => {
    test = await createTestSender(scratch.app, { timeoutMs: 300 });
    await server.behave(behaviour);
    await put(scratch.app, down());
    await test.deliver();
    expect(outboxOf(scratch.app)[0]).toMatchObject({
      status: 'pending',
      attempts: 1,
      nextAttemptAt: new Date(BEGAN_MS + 15_000),
      mayHaveArrived: behaviour === 'hang_after_mail',
      lastError: expect.stringMatching(reason),
    });
    await server.behave('accept');
    await pass(1);
    expect(server.mails).toHaveLength(1);
  });

  it.each([
    ['the recipient', 'rcpt'],
    ['the mail', 'data'],
  ] as const)('that says to %s that there is no such address has the last word', async (_, at) => {
    await server.behave({ at, code: 550, says: '5.1.1 User unknown' });
    await put(scratch.app, down());
    await test.deliver();
    await pass(60);
    expect(outboxOf(scratch.app)[0]).toMatchObject({
      status: 'failed',
      attempts: 1,
      lastError: expect.stringContaining('550 5.1.1 User unknown'),
    });
    expect(test.lines.join('\n')).toContain('failed: the mail server said to');
  });

  it('that hangs does not hold up more than four others', async () => {
    test = await createTestSender(scratch.app, { timeoutMs: 300 });
    await server.behave('hang');
    for (let n = 0; n < 6; n++)
      await put(scratch.app, { ...down(`h${n}.example`), to: addUser(scratch.app, `c${n}@customer.example`) });
    await test.sender.round();
    expect(test.sender.inFlight()).toHaveLength(4);
    await test.sender.idle();
    expect(server.connections()).toBe(6);
  });

  it('is told nothing twice when it may have taken the beginning: the beginning is repeated, then the end follows', async () => {
    test = await createTestSender(scratch.app, { timeoutMs: 300 });
    await server.behave('hang_after_mail');
    await put(scratch.app, down());
    await test.deliver();
    await put(scratch.app, up('nordlys.example', BEGAN_MS));
    await test.deliver();
    expect(statuses(scratch.app)).toEqual({ 'down pending': 1, 'up pending': 1 });
    await server.behave('accept');
    await pass(1);
    expect(server.mails.map(({ subject }) => subject)).toEqual([
      'nordlys.example does not answer',
      'nordlys.example is running again',
    ]);
  });
});

describe('SMTP_URL', () => {
  const sendThrough = async (url: (port: number) => string, options: Parameters<typeof startMailServer>[0]) => {
    await server.close();
    server = await startMailServer(options);
    scratch.close();
    scratch = await openScratchApp({ SMTP_URL: url(server.port), MAIL_FROM });
    test = await createTestSender(scratch.app, { timeoutMs: 2_000 });
    await put(scratch.app, { ...down(), to: addUser(scratch.app, 'ada@customer.example') });
    await test.deliver();
    return outboxOf(scratch.app)[0];
  };
  const login: Parameters<typeof startMailServer>[0] = {
    authOptional: false,
    disabledCommands: [],
    onAuth: ({ username, password }, _session, done) =>
      username === 'ward' && password === 'p@ss' ? done(null, { user: username }) : done(new Error(`no: ${password}`)),
  };

  it('takes TLS from the start, and STARTTLS with a login', async () => {
    const smtps = (port: number) => `smtps://127.0.0.1:${port}/?tls.rejectUnauthorized=false`;
    expect(await sendThrough(smtps, { secure: true })).toMatchObject({ status: 'sent' });
    const starttls = (port: number) =>
      `smtp://ward:p%40ss@127.0.0.1:${port}/?requireTLS=true&tls.rejectUnauthorized=false`;
    expect(await sendThrough(starttls, login)).toMatchObject({ status: 'sent' });
    expect(server.mails).toHaveLength(1);
  });

  it('trusts no certificate by itself', async () => {
    expect(await sendThrough((port) => `smtps://127.0.0.1:${port}`, { secure: true })).toMatchObject({
      status: 'pending',
    });
  });

  it('with a wrong password is tried again, and the password is nowhere to be read', async () => {
    const url = (port: number) => `smtp://ward:HUNTER2@127.0.0.1:${port}/?tls.rejectUnauthorized=false`;
    const row = await sendThrough(url, login);
    expect(row).toMatchObject({ status: 'pending', lastError: 'the mail server refused the login (535)' });
    expect(test.lines.join()).not.toContain('HUNTER2');
  });
});

describe('without SMTP_URL', () => {
  it('messages wait, one line says so, and after three days they are given up', async () => {
    scratch.close();
    scratch = await openScratchApp();
    test = await createTestSender(scratch.app);
    const someone = addUser(scratch.app, 'ada@customer.example');
    for (const host of ['a', 'b', 'c']) await put(scratch.app, { ...down(host), to: someone });
    await pass(10);
    expect(statuses(scratch.app)).toEqual({ 'down pending': 3 });
    expect(test.lines).toEqual(['no SMTP_URL is set: 3 messages wait']);
    test.clock.nowMs += 3 * 24 * 60 * MINUTE_MS;
    await test.deliver();
    expect(statuses(scratch.app)).toEqual({ 'down failed': 3 });
  });
});

describe('a storm', () => {
  it('of 100 circuits is one digest for each admin, after 30 s; a hundred customers get theirs at once', async () => {
    const second = addUser(scratch.app, 'second@admin.example', 'admin');
    for (let n = 0; n < 100; n++) {
      const host = `vps-${n}.example`;
      const to = addUser(scratch.app, `c${n}@customer.example`);
      await put(scratch.app, { ...down(host), to }, opened(host), { ...opened(host), to: second });
    }
    await test.deliver();
    expect(server.mails).toHaveLength(100);
    test.clock.nowMs = BEGAN_MS + WINDOW_MS - 1;
    await test.deliver();
    expect(server.mails).toHaveLength(100);
    test.clock.nowMs = BEGAN_MS + WINDOW_MS;
    await test.deliver();
    await pass(60);
    const digests = server.mails.slice(100);
    expect(digests.map(({ to }) => to[0]).toSorted()).toEqual(['root@admin.example', 'second@admin.example']);
    expect(digests[0]?.subject).toBe('Fleet: 100 messages in one (circuit opened: 100)');
    expect(digests[0]?.text.match(/^ {2}- /gm)).toHaveLength(50);
    expect(digests[0]?.text).toContain('and 50 more');
    expect(statuses(scratch.app)).toEqual({ 'down sent': 100, 'circuit_opened digested': 200, 'digest sent': 2 });
    const byRecipient = outboxOf(scratch.app).find(
      ({ kind, recipientId }) => kind === 'digest' && recipientId === admin,
    );
    const items = outboxOf(scratch.app).filter(({ toldBy }) => toldBy === byRecipient?.id);
    expect(items).toHaveLength(100);
  });

  it.each([
    [5, ['circuit opened', 'circuit opened', 'circuit opened', 'circuit opened', 'circuit opened']],
    [6, ['6 messages in one (circuit opened: 6)']],
  ])('is what is more than five: %i', async (count, subjects) => {
    for (let n = 0; n < count; n++) await put(scratch.app, opened(`vps-${n}.example`));
    test.clock.nowMs += WINDOW_MS;
    await test.deliver();
    expect(server.mails.map(({ subject }) => subject.replace(/^[^:]+: /, ''))).toEqual(subjects);
  });

  it('that is over when its digest could not be sent yet is told in order', async () => {
    await server.behave('refuse');
    for (let n = 0; n < 6; n++) await put(scratch.app, opened(`vps-${n}.example`));
    await pass(2);
    for (let n = 0; n < 6; n++)
      await put(scratch.app, {
        to: admin,
        kind: 'circuit_closed',
        facts: endedFacts(`vps-${n}.example`),
        atMs: test.clock.nowMs,
      });
    await pass(30);
    await server.behave('accept');
    await pass(60);
    expect(server.mails.map(({ subject }) => subject)).toEqual([
      'Fleet: 6 messages in one (circuit opened: 6)',
      'Fleet: 6 messages in one (circuit closed: 6)',
    ]);
  });

  it('that begins and ends within the window leaves its endings only', async () => {
    await put(scratch.app, opened('a.example'), {
      to: admin,
      kind: 'circuit_closed',
      facts: endedFacts('a.example'),
      atMs: BEGAN_MS + 10_000,
    });
    test.clock.nowMs += WINDOW_MS + 10_000;
    await test.deliver();
    expect(server.mails).toHaveLength(1);
    expect(server.mails[0]?.text).toContain(
      'a.example (Ada) was failing from 14:03 to 15:20 UTC (77 min); its circuit had opened and is closed again.',
    );
  });
});

describe('a fault of the monitor', () => {
  const outage = (atMs: number): MessageFacts => ({
    about: 'fleet',
    atMs,
    beganAtMs: BEGAN_MS,
    fault: { kind: 'outage', unreachable: 12, reachableBefore: 30 },
  });
  it('has its begin and its end in one thread, and collapses like an incident', async () => {
    await put(
      scratch.app,
      { to: admin, kind: 'monitor_fault_began', facts: outage(BEGAN_MS), atMs: BEGAN_MS },
      { to: admin, kind: 'monitor_fault_ended', facts: outage(BEGAN_MS + 1), atMs: BEGAN_MS + 1 },
    );
    await pass(1);
    expect(statuses(scratch.app)).toEqual({ 'monitor_fault_began collapsed': 1, 'monitor_fault_ended sent': 1 });
    expect(server.mails[0]?.text).toContain('so sweeps did not count; they count again.');
    expect(server.mails[0]?.headers.get('references')).toBe(`<fleet-outage-${BEGAN_MS}@wardround.example>`);
  });
});

describe('header injection', () => {
  it.each([
    'ada@customer.example\r\nBcc: all@evil.example',
    'ada@customer.example, all@evil.example',
    'ada@customer.example\nX: y',
    '<ada@customer.example>',
    'ada@customer.example\u0000',
    'Ada <ada@customer.example>',
  ])('through the address %j is refused before anything is sent', async (email) => {
    await put(scratch.app, { ...down(), to: addUser(scratch.app, email) });
    await test.deliver();
    expect(server.connections()).toBe(0);
    expect(outboxOf(scratch.app)[0]).toMatchObject({
      status: 'failed',
      lastError: 'the address of this user is not an e-mail address',
    });
  });

  it('through a host or a customer name ends as text', async () => {
    const evil = 'evil.example\r\nBcc: all@evil.example\r\n\r\n<script>alert(1)</script>';
    const facts = vpsFacts('a.example', {
      vps: { id: 'vps-1', customer: evil, host: evil, port: 22, service: evil },
      error: `${evil}\u001b[31m\u202e`,
    });
    await put(scratch.app, { ...down(), facts }, { ...opened('a.example'), facts });
    await pass(1);
    expect(server.mails).toHaveLength(2);
    for (const mail of server.mails) {
      expect(mail.to).toHaveLength(1);
      expect(mail.headers.has('bcc')).toBe(false);
      expect(mail.html).not.toContain('<script');
      // eslint-disable-next-line no-control-regex -- that there are none is what is tested
      expect(mail.text + mail.subject).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u202e]/);
    }
  });
});

describe('the dispatcher', () => {
  it('sends as soon as something is committed, and lets what is under way end when it is stopped', async () => {
    await test.release();
    const log = createSilentLog();
    const dispatcher = startDispatcher(scratch.app, { log });
    const patience = new AbortController().signal;
    const taken = new Promise<void>((resolve) => server.beforeAnswer(() => resolve()));
    await put(scratch.app, { ...down(), atMs: Date.now() });
    await taken;
    await Promise.all([dispatcher.stop(patience), dispatcher.stop(patience)]);
    expect(outboxOf(scratch.app)[0]).toMatchObject({ status: 'sent' });
    expect(log.lines[0]).toBe('notifier started');
    expect(log.lines.at(-1)).toBe('notifier stopped');
    expect(log.lines).toHaveLength(3);
    expect(await new LeaseKeeper(scratch.app.db, 'notifier', log).hold()).toHaveProperty('tenure');
  });

  it('sends nothing that another process has taken over', async () => {
    await put(scratch.app, down());
    scratch.app.db.$client.prepare(`UPDATE leases SET holder = 'other', pid = 1 WHERE name = 'notifier'`).run();
    await test.deliver();
    expect(server.connections()).toBe(0);
    expect(statuses(scratch.app)).toEqual({ 'down pending': 1 });
  });
});

// Two processes each, one after the other: on a busy machine their start alone takes a while.
describe('a dispatcher killed at the worst moment', { timeout: 180_000 }, () => {
  const environment = scratchEnvironment();
  const running: RunningProcess[] = [];
  afterEach(async () => {
    for (const child of running.splice(0)) await endWith(child, 'SIGKILL');
  });
  const dispatch = (): RunningProcess => {
    const child = startProcess(process.execPath, ['tests/support/dispatch.ts'], {
      ...environment.environment,
      DATABASE_URL: scratch.app.settings.databasePath,
      ENCRYPTION_KEY_FILE: scratch.app.settings.encryptionKeyFile,
      ALLOWED_ADDRESSES: 'any',
      SMTP_URL: server.url,
      MAIL_FROM,
    });
    running.push(child);
    return child;
  };
  const until = (ready: () => boolean): Promise<void> =>
    expect.poll(ready, { timeout: 60_000, interval: 20 }).toBe(true);

  it('before the send: the next one sends it, exactly once', async () => {
    await test.release();
    await put(scratch.app, { ...down(), atMs: Date.now() });
    await server.behave('hang');
    const first = dispatch();
    await until(() => server.connections() > 0);
    expect(statuses(scratch.app)).toEqual({ 'down sending': 1 });
    expect(await endWith(first, 'SIGKILL')).toBe('SIGKILL');
    await server.behave('accept');
    const second = dispatch();
    await second.line(/left in the middle by a process that ended/);
    await second.line(/\(down to .* by email\) sent/);
    expect(await endWith(second, 'SIGTERM')).toBe(0);
    expect(server.mails).toHaveLength(1);
    expect(statuses(scratch.app)).toEqual({ 'down sent': 1 });
  });

  it("after the server's 250, and before that was written down: twice at most, under the same id", async () => {
    await test.release();
    await put(scratch.app, { ...down(), atMs: Date.now() });
    // Whoever holds the write lock keeps the process from writing down what it knows.
    const blocker = new Sqlite(scratch.app.settings.databasePath);
    server.beforeAnswer(() => void blocker.exec('BEGIN IMMEDIATE'));
    const first = dispatch();
    await until(() => server.mails.length === 1);
    expect(await endWith(first, 'SIGKILL')).toBe('SIGKILL');
    server.beforeAnswer(() => undefined);
    blocker.exec('ROLLBACK');
    blocker.close();
    expect(statuses(scratch.app)).toEqual({ 'down sending': 1 });
    const second = dispatch();
    await second.line(/\(down to .* by email\) sent/);
    expect(await endWith(second, 'SIGTERM')).toBe(0);
    expect(server.mails).toHaveLength(2);
    expect(new Set(server.mails.map(({ messageId }) => messageId)).size).toBe(1);
    const [row] = scratch.app.db.select().from(notifications).all();
    expect(row).toMatchObject({ status: 'sent', attempts: 2 });
  });
});

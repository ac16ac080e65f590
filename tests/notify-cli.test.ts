import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { eq } from 'drizzle-orm';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { notifications } from '../src/lib/db/schema.ts';
import { startHttpReceiver, type HttpReceiver } from './support/http-receiver.ts';
import { startMailServer, type MailServer } from './support/mail-server.ts';
import { addUser, BEGAN_MS, endedFacts, put, vpsFacts } from './support/outbox.ts';
import { runCli, scratchEnvironment, type CliResult } from './support/project.ts';
import { openScratchApp, type ScratchApp } from './support/scratch-app.ts';

let server: MailServer;
let receiver: HttpReceiver;
let environment: ReturnType<typeof scratchEnvironment>;
let scratch: ScratchApp;

beforeEach(async () => {
  server = await startMailServer();
  receiver = await startHttpReceiver();
  environment = scratchEnvironment({ SMTP_URL: server.url, TELEGRAM_API_URL: receiver.url });
  scratch = await openScratchApp(environment.environment);
  addUser(scratch.app, 'root@admin.example', 'admin');
});
afterEach(async () => {
  scratch.close();
  environment.remove();
  await server.close();
  await receiver.close();
});

const notify = (...args: string[]): Promise<CliResult> => runCli(environment.environment, 'notify', ...args);
const json = async (...args: string[]): Promise<unknown> => JSON.parse((await notify(...args, '--json')).stdout);
const file = (name: string, text: string): string => {
  const path = join(environment.folder, name);
  writeFileSync(path, text);
  return path;
};

describe('wardround notify', () => {
  it('test sends a real message now, and says why when it does not get out', async () => {
    const sent = await notify('test', '--to', 'anybody@example.com', '--channel', 'email');
    expect(sent).toMatchObject({ exitCode: 0, stdout: 'Sent to anybody@example.com by email.\n' });
    expect(server.mails[0]).toMatchObject({ to: ['anybody@example.com'], subject: 'Wardround: test message' });
    await server.behave({ at: 'rcpt', code: 550 });
    const refused = await notify('test', '--to', 'root@admin.example', '--channel', 'email');
    expect(refused).toMatchObject({ exitCode: 1, stdout: '' });
    expect(refused.stderr).toContain('the mail server said to RCPT TO: 550 never');
    expect(await json('test', '--to', 'nobody@example.com', '--channel', 'webhook')).toMatchObject({
      sent: false,
      reason: expect.stringContaining('there is no user "nobody@example.com"'),
    });
  });

  it('prefs shows and changes where a user is told what', async () => {
    const secret = file('secret', 'correct horse battery staple\n');
    const hook = ['--channel', 'webhook', '--address', `${receiver.url}/hook`, '--secret-file', secret];
    expect(await json('prefs', 'root@admin.example', ...hook)).toEqual([
      {
        channel: 'webhook',
        enabled: true,
        kinds: null,
        address: `${receiver.url}/hook`,
        pendingAddress: null,
        hasSecret: true,
        trouble: null,
      },
    ]);
    expect(
      await json('prefs', 'root@admin.example', '--channel', 'email', '--kinds', 'circuit_opened', '--off'),
    ).toMatchObject([{ channel: 'email', enabled: false, kinds: ['circuit_opened'] }]);
    const shown = await notify('prefs', 'root@admin.example');
    expect(shown.stdout).toBe(
      `email     off circuit_opened\ntelegram  off everything\nwebhook   on  everything to ${receiver.url}/hook, signed\n`,
    );
    expect(await notify('test', '--to', 'root@admin.example', '--channel', 'webhook')).toMatchObject({ exitCode: 0 });
    expect(JSON.parse(receiver.requests[0]?.body ?? '')).toMatchObject({ kind: 'test', facts: null });
  });

  it('telegram sets a bot and tries it', async () => {
    receiver.answer((response) => response.end('{"ok":true}'));
    const token = file('token', '123456:AAtokenAAtokenAAtokenAA\n');
    const set = await notify('telegram', 'root@admin.example', '--bot-token-file', token, '--chat-id', '-10042');
    expect(set).toMatchObject({ exitCode: 0 });
    expect(set.stdout + set.stderr).not.toContain('AAtoken');
    expect(await notify('test', '--to', 'root@admin.example', '--channel', 'telegram')).toMatchObject({ exitCode: 0 });
    expect(JSON.parse(receiver.requests[0]?.body ?? '')).toMatchObject({ chat_id: '-10042' });
  });

  it('list shows the outbox, newest first, and retry lets what failed wait again', async () => {
    const ada = addUser(scratch.app, 'ada@customer.example');
    await put(
      scratch.app,
      { to: ada, kind: 'down', facts: vpsFacts('a.example'), atMs: BEGAN_MS },
      { to: ada, kind: 'down', facts: vpsFacts('b.example'), atMs: BEGAN_MS + 1 },
      { to: ada, kind: 'up', facts: endedFacts('b.example'), atMs: BEGAN_MS + 2 },
    );
    const { db } = scratch.app;
    db.update(notifications)
      .set({ status: 'failed', attempts: 9, lastError: 'gone' })
      .where(eq(notifications.kind, 'down'))
      .run();
    db.update(notifications).set({ status: 'sent' }).where(eq(notifications.kind, 'up')).run();
    const failed = (await json('list', '--status', 'failed')) as { id: string; recipient: string; lastError: string }[];
    expect(failed).toMatchObject([
      { kind: 'down', recipient: 'ada@customer.example', lastError: 'gone', incidentId: 'incident-b.example' },
      { kind: 'down', incidentId: 'incident-a.example' },
    ]);
    expect((await notify('list')).stdout.split('\n')[0]).toMatch(/^\S+Z {2}sent$/);

    const [told, untold] = failed.map(({ id }) => id);
    const refused = await notify('retry', told ?? '');
    expect(refused).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('has been told by a later message') });
    expect(await json('retry', '--all-failed')).toEqual({ retried: [untold] });
    expect(await json('list', '--status', 'pending')).toMatchObject([{ id: untold, attempts: 0 }]);
    expect((await notify('retry', untold ?? '')).stderr).toContain('is pending; only what has failed can be retried');
  });

  it.each([
    [
      'an unknown channel',
      ['test', '--to', 'a@b.c', '--channel', 'fax'],
      'Allowed choices are email, telegram, webhook',
    ],
    ['an unknown kind', ['prefs', 'root@admin.example', '--channel', 'email', '--kinds', 'x'], 'kind is "x"; allowed'],
    ['a change without its channel', ['prefs', 'root@admin.example', '--off'], '--channel is missing; allowed: email'],
    [
      'on and off at once',
      ['prefs', 'root@admin.example', '--channel', 'email', '--on', '--off'],
      'cannot be used with',
    ],
    ['a limit that is none', ['list', '--limit', 'all'], '--limit is "all"; allowed: a whole number from 1 to 99999'],
    ['an unknown status', ['list', '--status', 'lost'], 'Allowed choices are pending'],
    ['nothing to retry', ['retry'], 'name one message, or give --all-failed'],
    [
      'a file that is not there',
      ['telegram', 'root@admin.example', '--bot-token-file', '/no', '--chat-id', '1'],
      '--bot-token-file /no cannot be read (ENOENT)',
    ],
  ])('takes %s for wrong usage: exit code 2, told on stderr', async (_, args, message) => {
    const { exitCode, stdout, stderr } = await notify(...args);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
    expect(stderr).toContain(message);
  });

  it.each(['test', 'list', 'retry', 'prefs', 'telegram'])('explains itself: %s --help', async (command) => {
    const { exitCode, stdout } = await notify(command, '--help');
    expect(exitCode).toBe(0);
    expect(stdout).toContain(`Usage: wardround notify ${command}`);
    expect(stdout).toContain('--json');
  });
});

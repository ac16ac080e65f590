import { expect } from '@playwright/test';
import { cookiesOf, createAdmin, signIn } from '../support/accounts.ts';
import { test } from '../support/browser.ts';
import { makeLogin, startVps, type SimulatedVps } from '../support/fleet.ts';
import { endWith, runCli, scratchEnvironment, startServer } from '../support/project.ts';

const scratch = scratchEnvironment({ ENABLE_HEALTH_MONITOR: 'false', SSH_CONNECT_TIMEOUT_MS: '2000' });
let fleet: SimulatedVps[];
let login: ReturnType<typeof makeLogin>;
let server: Awaited<ReturnType<typeof startServer>>;
let cookie: string;

test.beforeAll(async () => {
  test.setTimeout(120_000);
  login = makeLogin(scratch.folder);
  fleet = await Promise.all([startVps(login.publicKey), startVps(login.publicKey), startVps(login.publicKey)]);
  await createAdmin(scratch.environment);
  server = await startServer(scratch.environment);
  cookie = await signIn(server.url);
});
test.afterAll(async () => {
  await endWith(server, 'SIGKILL');
  for (const { host } of fleet) await host.close();
  scratch.remove();
});
const emails = async (): Promise<string[]> =>
  (JSON.parse((await runCli(scratch.environment, 'vps', 'list', '--json')).stdout) as { email: string }[]).map(
    ({ email }) => email,
  );

for (const javaScriptEnabled of [true, false])
  test.describe(javaScriptEnabled ? 'with JavaScript' : 'without JavaScript', () => {
    test.use({ javaScriptEnabled });
    test('a table is refused by its lines, tried whole, and the good ones are added', async ({ page, context }) => {
      const who = javaScriptEnabled ? 'js' : 'plain';
      const port = fleet[javaScriptEnabled ? 0 : 1]?.host.port ?? 0;
      await context.addCookies(cookiesOf(cookie).map((one) => ({ ...one, url: server.url })));
      await page.goto(`${server.url}/vps/new`);
      await page.getByRole('link', { name: 'import a table' }).click();
      const table = (second: string): string =>
        `host;port;customer\n127.0.0.1;${port};${who}@example.test\n${second}\n`;
      await page.getByLabel('What is to be imported').fill(table('10.0.0.300;22;x@example.test'));
      await page.getByLabel('Private key for all of them').fill(login.privateKey);
      await page.getByRole('button', { name: 'Try and import' }).click();
      await expect(page.getByRole('alert').filter({ hasText: 'Nothing was tried' })).toContainText(
        'line 3: 10.0.0.300: host is "10.0.0.300"; allowed: an IP address',
      );
      await expect(page.getByLabel('What is to be imported')).toHaveValue(/10\.0\.0\.300/);
      await expect(page.getByLabel('Private key for all of them')).toHaveValue('');

      await page.getByLabel('Or a file').setInputFiles({
        name: 'fleet.csv',
        mimeType: 'text/csv',
        buffer: Buffer.from(table('127.0.0.1;1;x@example.test')),
      });
      await page.getByLabel('Private key for all of them').fill(login.privateKey);
      await page.getByLabel('Login, where it names none').fill('test');
      await page.getByRole('button', { name: 'Try and import' }).click();
      await expect(page.getByText('Nothing was added: 1 VPS would work, but not all of them do.')).toBeVisible();
      await expect(page.getByRole('row', { name: /x@example\.test.*Does not work/ })).toContainText('refused');
      expect(await emails()).not.toContain(`${who}@example.test`);
      await page.getByRole('button', { name: 'Add the one that works' }).click();
      await expect(page.getByText('1 VPS added.')).toBeVisible();
      await expect(page.getByRole('link', { name: `127.0.0.1:${port}` })).toBeVisible();
      expect(await emails()).toContain(`${who}@example.test`);
    });
  });

test('keys are taken by their names, progress is shown, and stopping adds nothing', async ({ page, context }) => {
  const slow = fleet[2];
  if (!slow) throw new Error('there is no third one');
  slow.machine.network = 'hangs';
  await context.addCookies(cookiesOf(cookie).map((one) => ({ ...one, url: server.url })));
  await page.goto(`${server.url}/vps/import`);
  const text = `Host web9\n HostName 127.0.0.1\n Port ${slow.host.port}\n User test\n IdentityFile ~/.ssh/fleet_key\n`;
  const begin = async (): Promise<void> => {
    await page.getByLabel('What is to be imported').fill(text);
    await page.getByLabel('Customer, where the file names none').fill('{name}@example.test');
    await page.getByLabel('Or the key files that it names').setInputFiles({
      name: 'fleet_key',
      mimeType: 'text/plain',
      buffer: Buffer.from(login.privateKey),
    });
    await page.getByRole('button', { name: 'Try and import' }).click();
  };
  await begin();
  await expect(page.getByText('0 of 1 VPS tried.')).toBeVisible();
  await page.getByRole('button', { name: 'Stop' }).click();
  await expect(page.getByText('1 VPS was not tried.')).toBeVisible();
  slow.machine.network = 'up';
  await page.getByRole('link', { name: 'Begin again' }).click();
  await begin();
  await expect(page.getByText('1 VPS added.')).toBeVisible();
  expect(await emails()).toContain('web9@example.test');
});

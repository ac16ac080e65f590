import { expect, type Page } from '@playwright/test';
import Sqlite from 'better-sqlite3';
import { acceptInvitation, cookiesOf, createAdmin, post, signIn } from '../support/accounts.ts';
import { addAll, makeLogin, startVps, type SimulatedVps } from '../support/fleet.ts';
import { test } from '../support/browser.ts';
import { lookAt } from '../support/looks.ts';
import { endWith, runCli, scratchEnvironment, startServer } from '../support/project.ts';

const HOUR_MS = 3_600_000;
/** What is seen is known for three hours, so that no test has to be quick. */
const scratch = scratchEnvironment({ HEALTH_CHECK_CRON: '0 * * * *', ENABLE_HEALTH_MONITOR: 'false' });
let server: Awaited<ReturnType<typeof startServer>>;
const fleet: SimulatedVps[] = [];
let ids: string[];
let admin: string;
let customer: string;
let statusPage: string;

test.beforeAll(async () => {
  test.setTimeout(180_000);
  const login = makeLogin(scratch.folder);
  for (let index = 0; index < 3; index++) fleet.push(await startVps(login.publicKey));
  ids = await addAll(scratch.environment, login.keyFile, fleet);
  await createAdmin(scratch.environment);
  expect((await runCli(scratch.environment, 'sweep')).exitCode).toBe(0);
  server = await startServer(scratch.environment);
  await acceptInvitation(scratch.environment, server.url, 'c0@example.test');
  admin = await signIn(server.url);
  customer = await signIn(server.url, 'c0@example.test');
  await post(`${server.url}/vps/${ids[0]}/status-page?/on`, {}, { cookie: customer });
  const page = await fetch(`${server.url}/vps/${ids[0]}/status-page`, { headers: { cookie: customer } });
  statusPage = /\/status\/[\w-]{43}/.exec(await page.text())?.[0] ?? '';
});
test.afterAll(async () => {
  await endWith(server, 'SIGKILL');
  for (const { host } of fleet) await host.close();
  scratch.remove();
});

/** Makes all that is known of the fleet this much older. */
function age(ms: number): void {
  const database = new Sqlite(scratch.environment.DATABASE_URL ?? '');
  database.exec(`UPDATE monitor_state SET swept_at = swept_at - ${ms};
    UPDATE health_checks SET last_check_at = last_check_at - ${ms}, last_healthy_at = last_healthy_at - ${ms}`);
  database.close();
}
const heading = (page: Page) => page.getByRole('heading', { level: 1 });
const visit = async (page: Page, path: string, cookie: string): Promise<void> => {
  await page.context().clearCookies();
  await page.context().addCookies(cookiesOf(cookie).map((one) => ({ ...one, url: server.url })));
  await page.goto(server.url + path);
};

for (const [who, path, before, after] of [
  [
    'the fleet',
    () => '/',
    'All 3 VPSs are healthy.',
    /^No sweep since .*: what you see is 3 h old\.\s+No server has the/,
  ],
  ['a customer', () => `/vps/${ids[0]}`, 'Running. Checked', /^Not checked since .* It was last seen running 3 h ago/],
  ['everybody', () => statusPage, 'This service is running.', 'This service cannot be checked at the moment.'],
] as const)
  test(`the page of ${who} turns by itself when time passes and nothing is heard`, async ({ page }) => {
    // Whatever the server would say of it later does not arrive.
    await page.route('**/__data.json*', () => undefined);
    await page.clock.install();
    await visit(page, path(), who === 'a customer' ? customer : admin);
    await expect(heading(page)).toContainText(before);
    await page.clock.fastForward(3 * HOUR_MS);
    await expect(heading(page)).toHaveText(after);
    if (path() === '/')
      await expect(page.locator(`[data-vps="${ids[0]}"]`)).toContainText(/Not known.*not checked since/s);
  });

test('the counts turn when what was seen of one VPS is too old, without an event', async ({ page }) => {
  const database = new Sqlite(scratch.environment.DATABASE_URL ?? '');
  await page.clock.install();
  await visit(page, '/', admin);
  await expect(heading(page)).toContainText('All 3 VPSs are healthy.');
  // The page hears of this, too: it is a change that another process makes. What follows is none.
  database.exec(`UPDATE health_checks SET last_check_at = ${Date.now() - 3 * HOUR_MS + 4_000} WHERE id =
    (SELECT health_checks.id FROM health_checks JOIN subscriptions USING (user_id) WHERE subscriptions.id = '${ids[1]}')`);
  database.close();
  await expect(heading(page)).toContainText('2 of 3 VPSs are healthy. 1 has not been checked lately.');
  await expect(page.getByRole('navigation', { name: 'Filter by status' })).toContainText(/Not known 1/);
});

test('what is not known is said on every page, accessibly, in both themes, on phone and desktop', async ({
  page,
}, testInfo) => {
  test.setTimeout(180_000);
  age(4 * HOUR_MS);
  await visit(page, '/', admin);
  await lookAt(page, 'fleet-blind', testInfo);
  await visit(page, `/vps/${ids[0]}`, admin);
  await lookAt(page, 'vps-blind', testInfo);
  for (const path of ['/incidents', '/settings', '/account']) {
    await visit(page, path, admin);
    await expect(page.getByRole('alert').first()).toContainText('No sweep since');
  }
  await visit(page, `/vps/${ids[0]}`, customer);
  await lookAt(page, 'customer-blind', testInfo);
  await visit(page, statusPage, customer);
  await lookAt(page, 'status-blind', testInfo);
});

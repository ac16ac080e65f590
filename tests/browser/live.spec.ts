import { expect, type Page } from '@playwright/test';
import { acceptInvitation, cookiesOf, createAdmin, post, signIn } from '../support/accounts.ts';
import { test } from '../support/browser.ts';
import { addAll, makeLogin, startVps, type SimulatedVps } from '../support/fleet.ts';
import { endWith, runCli, scratchEnvironment, startServer } from '../support/project.ts';

type Server = Awaited<ReturnType<typeof startServer>>;
const SIZE = 6;
let scratch: ReturnType<typeof scratchEnvironment>;
let server: Server;
const fleet: SimulatedVps[] = [];
let ids: string[];
let userIds: string[];
let cookie: string;

test.beforeAll(async () => {
  test.setTimeout(180_000);
  scratch = scratchEnvironment({ HEALTH_CHECK_CRON: '* * * * * *', RESTART_SETTLE_MS: '50' });
  const login = makeLogin(scratch.folder);
  for (let index = 0; index < SIZE; index++) fleet.push(await startVps(login.publicKey));
  ids = await addAll(scratch.environment, login.keyFile, fleet);
  const { stdout } = await runCli(scratch.environment, 'vps', 'list', '--json');
  const listed = JSON.parse(stdout) as { id: string; userId: string }[];
  userIds = ids.map((id) => listed.find((vps) => vps.id === id)?.userId ?? 'nobody');
  await createAdmin(scratch.environment);
  server = await startServer(scratch.environment);
  await server.line(/sweep completed/);
  cookie = await signIn(server.url);
});
test.afterAll(async () => {
  await endWith(server, 'SIGKILL');
  for (const { host } of fleet) await host.close();
  scratch.remove();
});

const beSomeone = (page: Page, who: string): Promise<void> =>
  page.context().addCookies(cookiesOf(who).map((one) => ({ ...one, url: server.url })));
const row = (page: Page, index: number) => page.locator(`[data-vps="${ids[index]}"]`);
const set = (index: number, unit: 'active' | 'failed'): void => {
  Object.assign(fleet[index]?.machine ?? {}, { unit, restart: unit === 'active' ? 'works' : 'fails' });
};
/** The page is the same one as long as this is there. */
const mark = (page: Page) => page.evaluate(() => Object.assign(window, { isTheSame: true }));
const isMarked = (page: Page) => page.evaluate(() => 'isTheSame' in window);

for (const width of [1440, 360])
  test(`a row turns within two seconds of the commit, and nothing moves, at ${width} pixels`, async ({ page }) => {
    await page.setViewportSize({ width, height: 900 });
    await page.addInitScript(() => {
      const shifts = Object.assign(window, { shifted: 0 });
      new PerformanceObserver((list) => {
        for (const entry of list.getEntries() as (PerformanceEntry & { value: number; hadRecentInput: boolean })[])
          if (!entry.hadRecentInput) shifts.shifted += entry.value;
      }).observe({ type: 'layout-shift', buffered: true });
    });
    await beSomeone(page, cookie);
    // By trouble, the row would go to the top, as it should.
    await page.goto(`${server.url}/?sort=customer`);
    await mark(page);
    const index = width === 1440 ? 0 : 1;
    await expect(row(page, index)).toContainText('Healthy');
    set(index, 'failed');
    // This line is printed right after the commit.
    await server.line(new RegExp(`${userIds[index]}: unhealthy \\(consecutive: 1\\):`));
    await expect(row(page, index)).toContainText('Unhealthy', { timeout: 2_000 });
    // The live bar, the countdowns and what comes with each sweep.
    await expect(page.getByText(/Sweeping now|Next sweep in/)).toBeVisible();
    set(index, 'active');
    await expect(row(page, index)).toContainText('Healthy');
    expect(await page.evaluate(() => (window as unknown as { shifted: number }).shifted)).toBeLessThan(0.01);
    expect(await isMarked(page)).toBe(true);
  });

test('a connection that is lost is said so, mended by itself, and what was missed is there', async ({ page }) => {
  await beSomeone(page, cookie);
  await page.goto(server.url);
  await mark(page);
  await expect(row(page, 2)).toContainText('Healthy');
  const lost = page.getByText('Connection lost · trying again');
  await expect(lost).toBeHidden();
  const { port } = new URL(server.url);
  // A reading that the server does not live to answer.
  await page.route('**/__data.json*', async (route) => {
    await endWith(server, 'SIGKILL');
    await route.continue();
  });
  await expect(lost).toBeVisible();
  await page.unroute('**/__data.json*');
  set(2, 'failed');
  await expect(row(page, 2)).toContainText('Healthy');
  server = await startServer({ ...scratch.environment, PORT: port });
  await expect(lost).toBeHidden();
  await expect(row(page, 2)).toContainText('Unhealthy');
  set(2, 'active');
  expect(await isMarked(page)).toBe(true);
});

test('times tick by themselves', async ({ page }) => {
  await beSomeone(page, cookie);
  await page.goto(`${server.url}/`);
  // Whatever the server would say of it later does not arrive.
  await page.route('**/__data.json*', () => undefined);
  await expect(row(page, 5).locator('time')).toHaveText(/^[3-9] s ago$/);
});

test('a customer’s page follows its own VPS, and leads to the sign-in when the session ends', async ({ page }) => {
  await acceptInvitation(scratch.environment, server.url, 'c4@example.test');
  const session = await signIn(server.url, 'c4@example.test');
  await beSomeone(page, session);
  await page.goto(server.url);
  await mark(page);
  const heading = page.getByRole('heading', { level: 1 });
  await expect(heading).toContainText('Running.');
  set(4, 'failed');
  await expect(heading).not.toContainText('Running.');
  expect(await isMarked(page)).toBe(true);
  set(4, 'active');
  await post(`${server.url}/sign-out`, {}, { cookie: session });
  await expect(page.getByRole('heading', { name: 'Sign in' })).toBeVisible();
});

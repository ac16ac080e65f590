import { test as base, type Page } from '@playwright/test';

/**
 * Playwright's `test`, with a page that is ready for whatever needs scripts once it has been opened or loaded again: a
 * click that comes earlier is done as without scripts, or lost.
 */
export const test = base.extend({
  page: async ({ page, javaScriptEnabled }, use) => {
    if (javaScriptEnabled) waitForScripts(page);
    await use(page);
  },
});

function waitForScripts(page: Page): void {
  const isReady = (): Promise<void> => page.locator('html[data-hydrated]').waitFor({ state: 'attached' });
  const [goto, reload] = [page.goto.bind(page), page.reload.bind(page)];
  page.goto = async (...given) => {
    const response = await goto(...given);
    await isReady();
    return response;
  };
  page.reload = async (...given) => {
    const response = await reload(...given);
    await isReady();
    return response;
  };
}

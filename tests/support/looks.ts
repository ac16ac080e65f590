import AxeBuilder from '@axe-core/playwright';
import { expect, type Page, type TestInfo } from '@playwright/test';

const LOOKS = [
  { colorScheme: 'light', width: 360, axe: true },
  { colorScheme: 'light', width: 1440, axe: false },
  { colorScheme: 'dark', width: 1440, axe: true },
  { colorScheme: 'dark', width: 360, axe: false },
] as const;

/**
 * Looks at the page that is open in both themes, on a phone and on a desktop: nothing scrolls sideways, axe finds
 * nothing (in each theme and at each width once), and each picture is kept as `name-theme-width.png`: of the whole
 * page, or with `fullPage: false` of what is in view.
 */
export async function lookAt(page: Page, name: string, testInfo: TestInfo, { fullPage = true } = {}): Promise<void> {
  await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
  for (const { colorScheme, width, axe } of LOOKS) {
    // Colours that are on their way would be measured half-way.
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    await page.setViewportSize({ width, height: 900 });
    const look = `${name}, ${colorScheme}, ${width} pixels`;
    expect(await page.evaluate(() => document.documentElement.scrollWidth), look).toBeLessThanOrEqual(width);
    const violations = axe ? (await new AxeBuilder({ page }).analyze()).violations : [];
    expect(
      violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`),
      look,
    ).toEqual([]);
    await page.screenshot({ path: testInfo.outputPath(`${name}-${colorScheme}-${width}.png`), fullPage });
  }
}

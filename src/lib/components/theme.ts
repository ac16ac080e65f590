/** `system`: as the browser prefers. */
export type Theme = 'light' | 'dark' | 'system';

/** In the order in which the switch goes round. */
export const THEMES: readonly Theme[] = ['system', 'light', 'dark'];

/** The cookie that remembers it; readable before the first paint, as the server writes the page for it. */
export const THEME_COOKIE = 'wardround.theme';

export const parseTheme = (value: unknown): Theme | undefined => THEMES.find((theme) => theme === value);

export const nextTheme = (theme: Theme): Theme => THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length] ?? 'system';

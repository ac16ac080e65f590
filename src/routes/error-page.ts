import template from '../error.html?raw';
import type { Theme } from '$lib/components/theme';
import { errorInWords } from '$lib/views/error-words';

const escaped = (text: string): string => text.replaceAll(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);

/** What SvelteKit leaves of `error.html` for us: the theme that was chosen, and what to do. */
export const finishErrorPage = (html: string, status: number, theme: Theme): string =>
  html
    .replace('%wardround.theme%', theme)
    .replace('%wardround.text%', () => escaped(errorInWords(status, undefined).text));

/** A whole page for somebody who is refused before any page is chosen, or when all else fails. */
export function errorPage(status: number, message: string | undefined, theme: Theme): Response {
  const { title } = errorInWords(status, message);
  const html = template
    .replaceAll('%sveltekit.error.message%', () => escaped(title))
    .replaceAll('%sveltekit.status%', String(status));
  const headers = {
    'content-type': 'text/html; charset=utf-8',
    'content-security-policy':
      "default-src 'none'; style-src 'unsafe-inline'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  };
  return new Response(finishErrorPage(html, status, theme), { status, headers });
}

import type { RequestEvent } from '@sveltejs/kit';
import template from '../error.html?raw';
import type { Theme } from '$lib/components/theme';
import { createLog } from '$lib/log';
import { errorInWords } from '$lib/views/error-words';
import { BASE } from './site';

export const wantsPage = ({ request, isDataRequest }: RequestEvent): boolean =>
  !isDataRequest &&
  !request.headers.has('x-sveltekit-action') &&
  (request.headers.get('accept') ?? '').includes('text/html');

const escaped = (text: string): string => text.replaceAll(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);

/** What SvelteKit leaves of `error.html` for us: the theme that was chosen, where the site is, and what to do. */
export const finishErrorPage = (html: string, text: string, theme: Theme): string =>
  html
    .replace('%wardround.theme%', theme)
    .replaceAll('%wardround.base%', BASE)
    .replace('%wardround.text%', () => escaped(text));

/** The page carries all its style, and does nothing. */
export const ERROR_PAGE_POLICY =
  "default-src 'none'; style-src 'unsafe-inline'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/** A whole page for somebody who is refused before any page is chosen, or when all else fails. */
export function errorPage(status: number, said: Partial<App.Error>, theme: Theme): Response {
  const { title, text } = errorInWords(status, said);
  const html = template
    .replaceAll('%sveltekit.error.message%', () => escaped(title))
    .replaceAll('%sveltekit.status%', String(status));
  const headers = {
    'content-type': 'text/html; charset=utf-8',
    'content-security-policy': ERROR_PAGE_POLICY,
  };
  return new Response(finishErrorPage(html, text, theme), { status, headers });
}

const log = createLog('web');

const rootOf = (problem: unknown): unknown =>
  problem instanceof Error && problem.cause instanceof Error ? rootOf(problem.cause) : problem;

/** Logs a fault of ours at its root: around that stands the query, with values that are nobody's business. */
export function reportFault(problem: unknown, { request, route }: RequestEvent, status: number): void {
  const root = rootOf(problem);
  const stack = root instanceof Error ? (root.stack ?? root.message) : String(root);
  log.error(`${status} for ${request.method} ${route.id ?? 'an unknown address'}: ${stack}`);
}

import type { RequestEvent } from '@sveltejs/kit';
import type { App } from '$lib/app';
import { createShortCache } from '$lib/runtime/short-cache';
import { publicPageVersion } from '$lib/views/status-page-read';

type Answer = { readonly status: number; readonly headers: Headers; readonly body: ArrayBuffer };

/** A page of somebody else's site may show it to thousands, or a stranger ask for it without end. */
const answers = createShortCache<Answer>({
  keepMs: 10_000,
  entries: 100,
  worthKeeping: ({ status }) => status === 200,
});

/**
 * What everybody gets alike, rendered once in ten seconds: the public status pages and their badges. Null for any other
 * request. A page that was switched off, or has another address or title, is none of those that are kept.
 */
export async function sharedAnswer(
  app: App,
  { request, route, params, url, isDataRequest, locals }: RequestEvent,
  look: string,
  render: () => Promise<Response>,
): Promise<Response | null> {
  if (!route.id?.startsWith('/status/[token]') || request.method !== 'GET' || locals.signedIn !== null) return null;
  const version = publicPageVersion(app, params.token ?? '');
  if (version === null) return null;
  // An answer that somebody has already (304) is no answer for the others.
  request.headers.delete('if-none-match');
  const key = [route.id, params.token, version, look, isDataRequest ? url.search : ''].join(' ');
  const { status, headers, body } = await answers(`${isDataRequest} ${key}`, async () => {
    const response = await render();
    // It is no one's, so it carries no one's session.
    response.headers.delete('set-cookie');
    return { status: response.status, headers: response.headers, body: await response.arrayBuffer() };
  });
  return new Response(body, { status, headers });
}

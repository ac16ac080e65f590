import { defaultApp } from '$lib/app';
import { judgeScraper } from '$lib/auth/scraper';
import { renderMetrics } from '$lib/runtime/metrics';
import type { RequestHandler } from './$types';

const refusal = (status: number, text: string, headers: Record<string, string> = {}): Response =>
  new Response(`${text}\n`, { status, headers: { 'content-type': 'text/plain', ...headers } });

export const GET: RequestHandler = async ({ platform, request, locals }) => {
  const app = await defaultApp();
  // Who connects, and not whom a proxy names.
  const peer = platform?.req.socket.remoteAddress ?? locals.asking.address;
  switch (judgeScraper({ peer, headers: request.headers }, app.settings)) {
    case 'token needed':
      return refusal(401, 'Send the token: Authorization: Bearer METRICS_TOKEN', { 'www-authenticate': 'Bearer' });
    case 'not from here':
      return refusal(403, 'Without METRICS_TOKEN, metrics are for this machine alone; through a proxy, set it');
    case 'allowed': {
      const { contentType, text } = await renderMetrics(app);
      return new Response(text, { headers: { 'content-type': contentType } });
    }
  }
};

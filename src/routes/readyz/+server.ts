import { defaultApp } from '$lib/app';
import { readReadiness } from '$lib/runtime/readiness';
import type { RequestHandler } from './$types';

/** Whether this server can do its work, in one word. */
export const GET: RequestHandler = async () => {
  const { ready, word } = await readReadiness(await defaultApp());
  return new Response(`${word}\n`, { status: ready ? 200 : 503, headers: { 'content-type': 'text/plain' } });
};

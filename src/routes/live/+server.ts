import { error } from '@sveltejs/kit';
import { defaultApp } from '$lib/app';
import { guarded } from '$lib/auth/actor';
import { openStream } from '$lib/live/stream';
import type { RequestHandler } from './$types';

// Without the last one, nginx would keep events until it has enough of them.
const HEADERS = { 'content-type': 'text/event-stream', 'x-accel-buffering': 'no' };

export const GET: RequestHandler = async ({ locals, request }) => {
  // SvelteKit answers HEAD with this too, and then nobody would ever end the stream.
  if (request.method === 'HEAD') return new Response(null, { headers: HEADERS });
  const stream = openStream(await defaultApp(), guarded(locals.signedIn));
  if (stream === null) error(503, 'No more live streams: too many are open, or this server is stopping');
  return new Response(stream, { headers: HEADERS });
};

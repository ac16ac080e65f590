import { defaultApp } from '$lib/app';
import { guarded } from '$lib/auth/actor';
import { exportIncidents } from '$lib/views/incident-export';
import { filterOf, parseIncidentQuery } from '$lib/views/incident-query';
import type { RequestHandler } from './$types';

export const GET: RequestHandler = async ({ locals, url }) => {
  const filter = filterOf(parseIncidentQuery(url.searchParams));
  const pieces = exportIncidents(await defaultApp(), guarded(locals.actor), filter);
  const text = new TextEncoder();
  const body = new ReadableStream<Uint8Array>({
    pull: async (controller) => {
      const piece = await pieces.next();
      if (piece.done) controller.close();
      else controller.enqueue(text.encode(piece.value));
    },
  });
  const day = new Date().toISOString().slice(0, 10);
  return new Response(body, {
    headers: {
      'content-type': 'text/csv; charset=utf-8; header=present',
      'content-disposition': `attachment; filename="incidents-${day}.csv"`,
    },
  });
};

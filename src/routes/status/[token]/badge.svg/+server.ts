import { error } from '@sveltejs/kit';
import { defaultApp } from '$lib/app';
import { readPublicStatus } from '$lib/views/status-page-read';
import { renderBadge } from '$lib/views/status-words';
import type { RequestHandler } from './$types';

export const GET: RequestHandler = async ({ params }) => {
  const status = readPublicStatus(await defaultApp(), params.token, new Date());
  if (!status) error(404, 'There is no such status page');
  return new Response(renderBadge(status.title, status.state), {
    headers: {
      'content-type': 'image/svg+xml',
      'content-security-policy': "default-src 'none'",
      'x-robots-tag': 'noindex, nofollow',
    },
  });
};

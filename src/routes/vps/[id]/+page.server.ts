import { error } from '@sveltejs/kit';
import { defaultApp } from '$lib/app';
import { guarded } from '$lib/auth/actor';
import { vouchedInWords } from '$lib/fleet-admin/fleet-admin';
import { readVpsPage } from '$lib/views/vps-page-read';
import { parseWindow } from '$lib/views/probe-chart';
import { monitorStatus } from '$lib/monitoring/health-checker';
import { onDemandOf } from '$lib/monitoring/on-demand';
import type { PageServerLoad } from './$types';

export const load: PageServerLoad = async ({ locals, params, url, depends }) => {
  depends('wardround:vps');
  const app = await defaultApp();
  const now = new Date();
  const window = parseWindow(url.searchParams.get('range'));
  const wanted = { id: params.id, window };
  const view = readVpsPage(app, guarded(locals.actor), wanted, { monitor: monitorStatus(app), now });
  if (!view) error(404, 'There is no such VPS');
  return {
    view,
    window,
    now,
    breaker: app.settings.breaker,
    asked: onDemandOf(app).askedFor(params.id),
    done: url.searchParams.get('done'),
    // No page waits for the name servers.
    vouched:
      view.kind === 'admin' && view.vps.offeredHostKeyFingerprint !== null
        ? vouchedInWords(app, guarded(locals.actor), view.vps.id)
        : null,
  };
};

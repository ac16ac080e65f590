import { redirect } from '@sveltejs/kit';
import { defaultApp } from '$lib/app';
import { guarded } from '$lib/auth/actor';
import { readFleetList } from '$lib/fleet-admin/fleet-list';
import { parseFleetQuery } from '$lib/fleet-admin/fleet-query';
import { listVps } from '$lib/fleet-admin/fleet-read';
import { monitorNotices } from '$lib/fleet-admin/monitor-words';
import { monitorStatus } from '$lib/monitoring/health-checker';
import { readMonitorState } from '$lib/monitoring/monitor-state';
import type { PageServerLoad } from './$types';

/** Reads what the last sweep has written; no page ever waits for a check. */
export const load: PageServerLoad = async ({ locals, url, depends }) => {
  depends('wardround:fleet');
  const app = await defaultApp();
  const now = new Date();
  const actor = guarded(locals.actor);
  if (actor.role === 'customer') {
    // A customer has one VPS and no fleet; without one yet, the account says so.
    const [own] = listVps(app, actor, now);
    redirect(303, own ? `/vps/${own.id}` : '/account');
  }
  const query = parseFleetQuery(url.searchParams);
  const monitor = monitorStatus();
  return {
    query,
    fleet: readFleetList(app, actor, query, now),
    now,
    monitor,
    notices: monitorNotices(readMonitorState(app.db), monitor.lastSweep?.fault ?? null, now),
    breaker: app.settings.breaker,
  };
};

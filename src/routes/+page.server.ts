import { redirect } from '@sveltejs/kit';
import { defaultApp } from '$lib/app';
import { guarded } from '$lib/auth/actor';
import { listVps } from '$lib/fleet-admin/fleet-read';
import { byTrouble, conditionOf, CONDITIONS, countConditions } from '$lib/fleet-admin/words';
import { monitorStatus } from '$lib/monitoring/health-checker';
import type { PageServerLoad } from './$types';

/** Reads what the last sweep has written; no page ever waits for a check. */
export const load: PageServerLoad = async ({ locals, url, depends }) => {
  depends('wardround:fleet');
  const app = await defaultApp();
  const now = new Date();
  const actor = guarded(locals.actor);
  const all = listVps(app, actor, now);
  // A customer has one VPS and no fleet; without one yet, the account says so.
  if (actor.role === 'customer') redirect(303, all[0] ? `/vps/${all[0].id}` : '/account');
  const status = CONDITIONS.find((condition) => condition === url.searchParams.get('status')) ?? null;
  const rows = byTrouble(status === null ? all : all.filter((row) => conditionOf(row) === status));
  return {
    rows,
    status,
    total: all.length,
    counts: countConditions(all),
    now,
    monitor: monitorStatus(),
    breaker: app.settings.breaker,
  };
};

import { error, fail, type RequestEvent } from '@sveltejs/kit';
import * as z from 'zod/mini';
import { defaultApp, type App } from '$lib/app';
import { guarded, type Actor } from '$lib/auth/actor';
import { confirmedOf } from '$lib/views/action-words';
import { LENGTHS } from '$lib/views/bulk-words';
import { refuseOtherLine, removeVps, repinHostKey, vouchedInWords } from '$lib/fleet-admin/fleet-admin';
import { RefusedError } from '$lib/fleet-admin/the-vps';
import { readVps, type FleetRow } from '$lib/views/fleet-read';
import { parseMaintenance, REQUEST_OF } from '$lib/fleet-admin/maintenance-request';
import {
  checkNow,
  endMaintenance,
  planMaintenance,
  resetCircuit,
  restartNow,
  setVpsHealing,
} from '$lib/fleet-admin/vps-actions';
import { onDemandOf } from '$lib/monitoring/on-demand';
import { anyText, oneOf } from '$lib/parsing/fields';
import { inForm } from '$lib/parsing/problems';
import { fieldsOf, posted } from '../../../form-fields';
import { seeOther } from '../../../site';
import type { Actions, PageServerLoad } from './$types';

export const load: PageServerLoad = async ({ locals, params, url }) => {
  const now = new Date();
  const app = await defaultApp();
  const vps = readVps(app, guarded(locals.actor), params.id, now);
  if (!vps) error(404, 'There is no such VPS');
  // After a refusal the address still says which question was answered.
  const action = [...url.searchParams.keys()].find((key) => key.startsWith('/'))?.slice(1) ?? null;
  const confirm = confirmedOf(url.searchParams.get('confirm') ?? action);
  const vouched = confirm === 'repin' ? await vouchedInWords(app, guarded(locals.actor), vps.id) : '';
  return { vps, now, confirm, vouched, asked: onDemandOf(app).askedFor(params.id) };
};

type Work = (app: App, actor: Actor, vps: FleetRow, now: Date) => Promise<unknown>;

/** Does it, and leads back to the VPS, which says so; a refusal is said on this page. */
async function carryOut({ locals, params }: RequestEvent, done: string, work: Work) {
  const app = await defaultApp();
  const actor = guarded(locals.actor);
  const now = new Date();
  const vps = readVps(app, actor, params.id ?? '', now);
  if (!vps) error(404, 'There is no such VPS');
  try {
    await work(app, actor, vps, now);
  } catch (problem) {
    if (!(problem instanceof RefusedError)) throw problem;
    return fail(409, { refused: `Not done: ${problem.message}.` });
  }
  seeOther(done === 'remove' ? '/?done=removed' : `/vps/${vps.id}?done=${done}`);
}

const MaintenanceForm = z.object({
  length: oneOf([...LENGTHS, 'until']),
  until: anyText,
  reason: anyText,
});

export const actions: Actions = {
  check: (event) => carryOut(event, 'check', (app, actor, { id }) => checkNow(app, actor, [id])),
  restart: (event) => carryOut(event, 'restart', (app, actor, { id }, now) => restartNow(app, actor, id, { now })),
  reset: (event) => carryOut(event, 'reset', (app, actor, { id }, now) => resetCircuit(app, actor, [id], now)),
  maintenance: async (event) => {
    const { length, until, reason } = posted(event, MaintenanceForm);
    const chosen = length === 'until' ? { until, timeZone: 'UTC' } : REQUEST_OF[length];
    const parsed = parseMaintenance({ ...chosen, ...(reason && { reason }) }, new Date());
    if ('problems' in parsed) {
      const { until: ofUntil, reason: ofReason } = inForm(parsed.problems);
      // The time comes from a field that knows the form of one.
      const problems = {
        ...(ofUntil && { until: 'Enter a time in the future, in UTC.' }),
        ...(ofReason && { reason: ofReason }),
      };
      return fail(400, { problems });
    }
    const { window } = parsed;
    return carryOut(event, 'maintenance', (app, actor, { id }) => planMaintenance(app, actor, [id], window));
  },
  endMaintenance: (event) =>
    carryOut(event, 'endMaintenance', (app, actor, { id }, now) => endMaintenance(app, actor, [id], now)),
  pause: (event) => carryOut(event, 'pause', (app, actor, { id }, now) => setVpsHealing(app, actor, [id], false, now)),
  resume: (event) => carryOut(event, 'resume', (app, actor, { id }, now) => setVpsHealing(app, actor, [id], true, now)),
  repin: (event) => {
    const { fingerprint, line } = fieldsOf(event, 'fingerprint', 'line');
    return carryOut(event, 'repin', async (app, actor, vps) => {
      if (line.trim() !== '') refuseOtherLine(line, fingerprint);
      await repinHostKey(app, actor, vps.id, fingerprint === '' ? { kind: 'next' } : { kind: 'offered', fingerprint });
      if (vps.active) await checkNow(app, actor, [vps.id]);
    });
  },
  remove: async (event) => {
    const { host } = fieldsOf(event, 'host');
    return carryOut(event, 'remove', async (app, actor, vps) => {
      // A form that was filled in for another machine, or by nobody, removes nothing.
      if (host !== vps.host) throw new RefusedError('the question was about another machine');
      await removeVps(app, actor, vps.id);
    });
  },
};

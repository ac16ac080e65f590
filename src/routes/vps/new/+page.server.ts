import { fail } from '@sveltejs/kit';
import { defaultApp } from '$lib/app';
import { guarded } from '$lib/auth/actor';
import { addVps } from '$lib/fleet-admin/fleet-admin';
import { RefusedError } from '$lib/fleet-admin/the-vps';
import { parseVps } from '$lib/fleet-admin/new-vps';
import { checkNow } from '$lib/fleet-admin/vps-actions';
import { inForm } from '$lib/parsing/problems';
import { vpsFieldsOf } from '../../form-fields';
import { seeOther } from '../../site';
import type { Actions, PageServerLoad } from './$types';

export const load: PageServerLoad = async () => ({ service: (await defaultApp()).settings.monitoredService });

export const actions: Actions = {
  default: async (event) => {
    const { described, typed } = vpsFieldsOf(event);
    const parsed = parseVps(described);
    if ('problems' in parsed) return fail(400, { typed, problems: inForm(parsed.problems), refused: null });
    const app = await defaultApp();
    const actor = guarded(event.locals.actor);
    let id: string;
    try {
      ({ id } = await addVps(app, actor, parsed.vps));
    } catch (problem) {
      if (!(problem instanceof RefusedError)) throw problem;
      return fail(409, { typed, problems: {}, refused: `Not added: ${problem.message}.` });
    }
    await checkNow(app, actor, [id]);
    seeOther(`/vps/${id}?done=added`);
  },
};

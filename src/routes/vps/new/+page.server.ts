import { fail } from '@sveltejs/kit';
import { defaultApp } from '$lib/app';
import { guarded } from '$lib/auth/actor';
import { addNotReady, boardVps } from '$lib/fleet-admin/board';
import { sharedKeyOf } from '$lib/fleet-admin/shared-key';
import { RefusedError } from '$lib/fleet-admin/the-vps';
import { checkNow } from '$lib/fleet-admin/vps-actions';
import { inForm } from '$lib/parsing/problems';
import { seeOther } from '../../site';
import { readNewVps } from './new-vps-form';
import type { Actions, PageServerLoad } from './$types';

export const load: PageServerLoad = async () => {
  const { db, settings } = await defaultApp();
  return { service: settings.monitoredService, sharedKey: sharedKeyOf(db)?.publicKey ?? null };
};

export const actions: Actions = {
  default: async (event) => {
    const { parsed, typed, isGenerated, notReady } = await readNewVps(event);
    const nothing = { typed, problems: {}, refused: null, outcomes: null };
    if ('problems' in parsed) return fail(400, { ...nothing, problems: inForm(parsed.problems) });
    const app = await defaultApp();
    const actor = guarded(event.locals.actor);
    let id: string;
    let done = 'generated';
    try {
      if (isGenerated) {
        ({ id } = await addNotReady(app, actor, parsed.vps, 'Its key has just been made: nothing was tried yet.'));
      } else {
        const { added, passed, outcomes } = await boardVps(app, actor, parsed.vps, { notReady });
        if (added === null) return fail(422, { ...nothing, outcomes });
        ({ id } = added);
        done = passed ? 'added' : 'added-not-ready';
        if (passed) await checkNow(app, actor, [id]);
      }
    } catch (problem) {
      if (!(problem instanceof RefusedError)) throw problem;
      return fail(409, { ...nothing, refused: `Not added: ${problem.message}.` });
    }
    seeOther(`/vps/${id}?done=${done}`);
  },
};

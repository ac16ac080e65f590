import { error, fail } from '@sveltejs/kit';
import { defaultApp } from '$lib/app';
import { guarded } from '$lib/auth/actor';
import { loginLineOf, tryVps } from '$lib/fleet-admin/board';
import { RefusedError } from '$lib/fleet-admin/the-vps';
import { readVps } from '$lib/views/fleet-read';
import type { Actions, PageServerLoad } from './$types';

export const load: PageServerLoad = async ({ locals, params }) => {
  const app = await defaultApp();
  const actor = guarded(locals.actor);
  const vps = readVps(app, actor, params.id, new Date());
  if (!vps) error(404, 'There is no such VPS');
  const { id, host, customer, notReadyWhy, active } = vps;
  return { vps: { id, host, customer, notReadyWhy, active }, login: loginOrNull(() => loginLineOf(app, actor, id)) };
};

/** A key that cannot be read is what the preflight says. */
function loginOrNull<T>(read: () => T): T | null {
  try {
    return read();
  } catch (problem) {
    if (!(problem instanceof RefusedError)) throw problem;
    return null;
  }
}

export const actions: Actions = {
  default: async ({ locals, params }) => {
    const app = await defaultApp();
    const actor = guarded(locals.actor);
    if (!readVps(app, actor, params.id, new Date())) error(404, 'There is no such VPS');
    try {
      const { passed, outcomes } = await tryVps(app, actor, params.id, {});
      return { passed, outcomes, refused: null };
    } catch (problem) {
      if (!(problem instanceof RefusedError)) throw problem;
      return fail(409, { passed: false, outcomes: [], refused: `Not done: ${problem.message}.` });
    }
  },
};

import { error, fail } from '@sveltejs/kit';
import { defaultApp } from '$lib/app';
import { guarded } from '$lib/auth/actor';
import { certificateLinesOf, loginLineOf, recipeOf, tryVps } from '$lib/fleet-admin/board';
import { RefusedError } from '$lib/fleet-admin/the-vps';
import { RECIPES } from '$lib/provisioning/rules/rights';
import { readVps } from '$lib/views/fleet-read';
import type { Actions, PageServerLoad } from './$types';

export const load: PageServerLoad = async ({ locals, params }) => {
  const app = await defaultApp();
  const actor = guarded(locals.actor);
  const vps = readVps(app, actor, params.id, new Date());
  if (!vps) error(404, 'There is no such VPS');
  const { id, host, customer, notReadyWhy, active, user } = vps;
  const made = await Promise.all(
    RECIPES.map(async (recipe) => {
      const script = await orNull(() => recipeOf(app, actor, id, { recipe }));
      return script ? [{ recipe, isOther: script.login !== user, ...script }] : [];
    }),
  );
  return {
    vps: { id, host, customer, notReadyWhy, active },
    login: await orNull(() => loginLineOf(app, actor, id)),
    certificate: await orNull(() => certificateLinesOf(app, actor, id)),
    recipes: made.flat(),
  };
};

/** A key that cannot be read is what the preflight says. */
async function orNull<T>(read: () => T | Promise<T>): Promise<T | null> {
  try {
    return await read();
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

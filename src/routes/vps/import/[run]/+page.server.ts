import { fail } from '@sveltejs/kit';
import { defaultApp } from '$lib/app';
import { guarded } from '$lib/auth/actor';
import { importRunsOf, type ImportRun } from '$lib/fleet-admin/import-runs';
import { RefusedError } from '$lib/fleet-admin/the-vps';
import { seeOther } from '../../../site';
import type { Actions, PageServerLoad } from './$types';

/** A page has no use for more rows that are all well. */
const MOST_WELL = 200;

/** Forgotten after a while, and when the server was started again. */
const gone = (): never => seeOther('/vps/import?done=gone');

export const load: PageServerLoad = async ({ params, depends }) => {
  depends('wardround:import');
  const run = importRunsOf(await defaultApp()).read(params.run) ?? gone();
  return { run: forPage(run) };
};

function forPage(run: ImportRun) {
  const results = run.results ?? [];
  const isWell = ({ outcome }: (typeof results)[number]): boolean => outcome !== 'failed' && outcome !== 'stopped';
  const well = results.filter(isWell);
  const shown = [...results.filter((one) => !isWell(one)), ...well.slice(0, MOST_WELL)];
  const outcomes = results.map(({ outcome }) => ({ outcome }));
  return { ...run, results: shown, outcomes, hidden: results.length - shown.length };
}

export const actions: Actions = {
  good: async ({ locals, params }) => {
    const runs = importRunsOf(await defaultApp());
    if (!runs.read(params.run)) gone();
    try {
      await runs.addGood(guarded(locals.actor), params.run);
    } catch (problem) {
      if (!(problem instanceof RefusedError)) throw problem;
      return fail(409, { problem: problem.message });
    }
    return seeOther(`/vps/import/${params.run}`);
  },
  stop: async ({ params }) => {
    const runs = importRunsOf(await defaultApp());
    if (!runs.read(params.run)) gone();
    runs.stop(params.run);
    return seeOther(`/vps/import/${params.run}`);
  },
};

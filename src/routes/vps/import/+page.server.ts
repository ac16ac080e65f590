import { fail } from '@sveltejs/kit';
import { defaultApp } from '$lib/app';
import { guarded } from '$lib/auth/actor';
import { prepareImport } from '$lib/fleet-admin/import-entries';
import { importRunsOf } from '$lib/fleet-admin/import-runs';
import { sharedKeyOf } from '$lib/fleet-admin/shared-key';
import { RefusedError } from '$lib/fleet-admin/the-vps';
import { readFleetFile } from '$lib/fleet-files/read-fleet-file';
import { parseForm } from '$lib/parsing/form';
import { problemInWords } from '$lib/views/import-words';
import { doneIn, formOf } from '../../form-fields';
import { ImportForm, keysOf, sourceOf } from './import-form';
import { seeOther } from '../../site';
import type { Actions, PageServerLoad } from './$types';

const DONE = { gone: 'That import is not known any more: begin another one.' };

export const load: PageServerLoad = async ({ url }) => {
  const { db, settings } = await defaultApp();
  return {
    service: settings.monitoredService,
    hasSharedKey: sharedKeyOf(db) !== undefined,
    done: doneIn(url, DONE),
  };
};

export const actions: Actions = {
  default: async (event) => {
    const form = formOf(event);
    const parsed = parseForm(ImportForm, form);
    if ('problems' in parsed) return fail(400, { typed: null, problems: ['This form cannot be read.'], notes: [] });
    const { privateKey: _, ...typed } = parsed.value;
    const refuse = (problems: readonly string[], notes: readonly string[] = []) =>
      fail(400, { typed, problems, notes });
    const source = await sourceOf(form, parsed.value);
    if ('problem' in source) return refuse([source.problem]);
    const read = readFleetFile(source);
    if ('problems' in read) return refuse(read.problems.map(problemInWords));
    const app = await defaultApp();
    const prepared = prepareImport(app, read.entries, typed, await keysOf(form, parsed.value));
    if ('problems' in prepared) return refuse(prepared.problems.map(problemInWords), read.notes);
    let run: string;
    try {
      run = importRunsOf(app).begin(guarded(event.locals.actor), prepared, typed.mode);
    } catch (problem) {
      if (!(problem instanceof RefusedError)) throw problem;
      return refuse([problem.message]);
    }
    seeOther(`/vps/import/${run}`);
  },
};

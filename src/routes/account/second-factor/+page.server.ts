import { fail } from '@sveltejs/kit';
import { defaultApp } from '$lib/app';
import { guarded } from '$lib/auth/actor';
import {
  beginSecondFactor,
  confirmSecondFactor,
  disableSecondFactor,
  provisioningOf,
  renewBackupCodes,
} from '$lib/auth/second-factor';
import { passOn } from '../../browser-cookies';
import { doneIn, fieldsOf, later } from '../../form-fields';
import { seeOther } from '../../site';
import type { Actions, PageServerLoad } from './$types';

const DONE: Record<string, string> = {
  on: 'The second factor is on. Signing in now needs a code of your app.',
  off: 'The second factor is off. Signing in needs your password alone.',
};

export const load: PageServerLoad = ({ locals, url }) => ({
  isOn: guarded(locals.signedIn).user.hasSecondFactor,
  done: doneIn(url, DONE),
});

const WRONG_PASSWORD = 'That is not your password. Enter the one you signed in with.';

/** What the setup shows. It travels with the form, so that a mistyped code does not start it all over. */
const setupOf = (uri: string, backupCodes: readonly string[]) => {
  const provisioning = provisioningOf(uri);
  return provisioning && { uri, backupCodes, ...provisioning };
};

export const actions: Actions = {
  begin: async (event) => {
    const now = new Date();
    const { asking, signedIn } = event.locals;
    if (guarded(signedIn).user.hasSecondFactor) seeOther('/account/second-factor');
    const { password } = fieldsOf(event, 'password');
    const result = await beginSecondFactor(await defaultApp(), asking, guarded(signedIn), password, now);
    switch (result.kind) {
      case 'limited':
      case 'busy': {
        const { status, problem } = later(event, result, now);
        return fail(status, { problem });
      }
      case 'wrong':
        return fail(400, { problem: WRONG_PASSWORD });
      case 'begun':
        return { setup: setupOf(result.uri, result.backupCodes) };
    }
  },
  confirm: async (event) => {
    const now = new Date();
    const { asking, signedIn } = event.locals;
    const { code, uri, codes } = fieldsOf(event, 'code', 'uri', 'codes');
    const result = await confirmSecondFactor(await defaultApp(), asking, guarded(signedIn), code, now);
    const setup = setupOf(uri, codes.split(' ').slice(0, 20));
    switch (result.kind) {
      case 'limited':
      case 'busy': {
        const { status, problem } = later(event, result, now);
        return fail(status, { problem, setup });
      }
      case 'wrong':
        return fail(400, {
          problem: 'That code is not right. Codes change every 30 seconds: enter the one shown now.',
          setup,
        });
      case 'done':
        passOn(event.cookies, result.setCookies);
        return seeOther('/account/second-factor?done=on');
    }
  },
  disable: async (event) => {
    const now = new Date();
    const { asking, signedIn } = event.locals;
    const { password } = fieldsOf(event, 'password');
    const result = await disableSecondFactor(await defaultApp(), asking, guarded(signedIn), password, now);
    switch (result.kind) {
      case 'limited':
      case 'busy': {
        const { status, problem } = later(event, result, now);
        return fail(status, { offProblem: problem });
      }
      case 'wrong':
        return fail(400, { offProblem: WRONG_PASSWORD });
      case 'done':
        passOn(event.cookies, result.setCookies);
        return seeOther('/account/second-factor?done=off');
    }
  },
  codes: async (event) => {
    const now = new Date();
    const { asking, signedIn } = event.locals;
    const { password } = fieldsOf(event, 'password');
    if (!guarded(signedIn).user.hasSecondFactor) seeOther('/account/second-factor');
    const result = await renewBackupCodes(await defaultApp(), asking, guarded(signedIn), password, now);
    switch (result.kind) {
      case 'limited':
      case 'busy': {
        const { status, problem } = later(event, result, now);
        return fail(status, { codesProblem: problem });
      }
      case 'wrong':
        return fail(400, { codesProblem: WRONG_PASSWORD });
      case 'renewed':
        return { newCodes: result.backupCodes };
    }
  },
};

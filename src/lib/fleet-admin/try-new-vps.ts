import type { App } from '../app.ts';
import { failedStep, type StepOutcome } from '../facts/preflight.ts';
import { parsePrivateKey } from '../provisioning/private-key.ts';
import type { VpsTarget } from '../provisioning/vps-connection.ts';
import type { NewVps } from './new-vps.ts';
import { runPreflight } from './preflight.ts';
import { readSharedKey } from './shared-key.ts';

/** How the preflight of a VPS that is not in the fleet yet has ended. */
export type Trial = {
  /** It can be watched. */
  readonly isGood: boolean;
  /** What was seen, in sentences. */
  readonly saw: string;
  /** The key that the host has proved to own; null before a login. */
  readonly hostKey: string | null;
};

/** Where to log in to a VPS that is not in the fleet yet. Throws `RefusedError` where the shared key is meant and there is none. */
export const targetOfNew = (app: App, vps: NewVps): VpsTarget => ({
  host: vps.host,
  port: vps.port,
  username: vps.user,
  privateKey: parsePrivateKey(vps.privateKey ?? readSharedKey(app)),
  hostKey: vps.hostKey,
  service: vps.service ?? app.settings.monitoredService,
  reach: app.settings.allowedAddresses,
});

/** Its preflight, in short. Changes nothing there. */
export async function tryNewVps(app: App, vps: NewVps, signal: AbortSignal): Promise<Trial> {
  const { passed, outcomes, hostKey } = await runPreflight(app, targetOfNew(app, vps), { signal });
  return { isGood: passed, saw: passed ? sawOf(outcomes) : whyNot(outcomes), hostKey };
}

/** How its service is, and what else there is to be said. */
const sawOf = (outcomes: readonly StepOutcome[]): string =>
  outcomes
    .filter(({ step, verdict }) => step === 'state' || (step === 'rights' && verdict === 'noted'))
    .map(({ saw }) => saw)
    .join(' ');

function whyNot(outcomes: readonly StepOutcome[]): string {
  const failed = failedStep(outcomes);
  return failed ? [failed.saw, failed.why].filter(Boolean).join(' ') : 'The preflight was given up.';
}

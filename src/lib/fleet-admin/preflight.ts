import type { App } from '../app.ts';
import type { Cause } from '../facts/cause.ts';
import { failedStep, hasPassed, STEP_NAMES, type PreflightStep, type StepOutcome } from '../facts/preflight.ts';
import { judge, type Verdict } from '../monitoring/rules/verdict.ts';
import { nameHostKey } from '../provisioning/host-key.ts';
import { parsePrivateKey, publicHalf } from '../provisioning/private-key.ts';
import { tryRights } from '../provisioning/rights.ts';
import { judgeRights } from '../provisioning/rules/rights.ts';
import type { LoginProgress } from '../provisioning/ssh-session.ts';
import { VpsConnection, type VpsTarget } from '../provisioning/vps-connection.ts';
import { VpsLink } from '../provisioning/vps-link.ts';
import {
  addressAllowed,
  dialled,
  failed,
  linkOutcome,
  loggedIn,
  resolved,
  resolvedSomewhere,
  rightsInWords,
  skipped,
  stateInWords,
  unitExists,
  type PreflightSubject,
} from '../views/preflight-words.ts';
import { hostKeyInWords } from '../views/host-key-words.ts';

/** All of it, whatever the host does. */
const LONGEST_MS = 90_000;

export type Watcher = {
  /** Hears of each step as it ends, in order. */
  readonly onStep?: (outcome: StepOutcome) => void;
  readonly signal?: AbortSignal;
};

export type PreflightReport = {
  readonly passed: boolean;
  /** One for each step. */
  readonly outcomes: readonly StepOutcome[];
  /** The key the host has proved to own; null where it did not come to that. */
  readonly hostKey: string | null;
};

/**
 * Looks at all that has to hold before a VPS is watched, from its name to the link over which it will be looked at, and
 * says of each step what was seen, why, and what mends it. Changes nothing there; takes a minute and a half at most.
 */
export async function runPreflight(
  { settings }: Pick<App, 'settings'>,
  target: VpsTarget,
  { onStep = () => undefined, signal }: Watcher = {},
): Promise<PreflightReport> {
  const deadline = AbortSignal.timeout(LONGEST_MS);
  const patience = signal ? AbortSignal.any([signal, deadline]) : deadline;
  const steps = new Steps(onStep);
  const connection = new VpsConnection(target, settings);
  try {
    if (await logIn(steps, connection, patience)) {
      const link = new VpsLink(target, { limits: settings, choice: settings.sshLink, isKept: () => true, connection });
      await lookAround(steps, { connection, link }, patience);
    }
  } finally {
    await connection.close();
  }
  return { ...steps.end(), hostKey: connection.hostKey };
}

/** The steps that have ended; the rest of them is told as not come to. */
class Steps {
  readonly outcomes: StepOutcome[] = [];
  readonly #onStep: (outcome: StepOutcome) => void;
  constructor(onStep: (outcome: StepOutcome) => void) {
    this.#onStep = onStep;
  }

  add(outcome: StepOutcome): void {
    this.outcomes.push(outcome);
    this.#onStep(outcome);
  }

  /** The first that has not ended. */
  get next(): PreflightStep {
    return STEP_NAMES[this.outcomes.length] ?? 'link';
  }

  end(): { readonly passed: boolean; readonly outcomes: readonly StepOutcome[] } {
    const reason = failedStep(this.outcomes) === undefined ? 'Given up before.' : 'Not come to.';
    const passed = hasPassed(this.outcomes) && this.outcomes.length === STEP_NAMES.length;
    while (this.outcomes.length < STEP_NAMES.length) this.add(skipped(this.next, reason));
    return { passed, outcomes: this.outcomes };
  }
}

function subjectOf({ host, port = 22, username = 'root', service, privateKey }: VpsTarget): PreflightSubject {
  const key = typeof privateKey === 'string' ? parsePrivateKey(privateKey) : privateKey;
  return { host, port, user: username, service, publicKey: publicHalf(key) };
}

/** As far as the login; whether it came to that. */
async function logIn(steps: Steps, connection: VpsConnection, signal: AbortSignal): Promise<boolean> {
  const { target } = connection;
  const subject = subjectOf(target);
  const pinned = target.hostKey ? nameHostKey(target.hostKey) : null;
  const seen = (shown: string) => ({ shown: nameHostKey(shown), pinned });
  const onProgress = (progress: LoginProgress): void => {
    switch (progress.kind) {
      case 'found':
        steps.add(resolved(subject.host, progress.addresses));
        steps.add(addressAllowed(progress.addresses));
        return;
      case 'dialled':
        steps.add(dialled(progress.address, subject.port));
        return;
      case 'host_key':
        steps.add(hostKeyInWords(seen(progress.hostKey)));
    }
  };
  const opened = await connection.session(signal, onProgress);
  if (opened.ok) {
    steps.add(loggedIn(subject.user));
    return true;
  }
  const { code, message, offeredHostKey } = opened;
  // What it leads to is known by then, and just not to be dialled.
  if (code === 'address_refused') steps.add(resolvedSomewhere(subject.host));
  if (code === 'host_key_changed' && offeredHostKey !== null) steps.add(hostKeyInWords(seen(offeredHostKey)));
  else steps.add(failed(steps.next, code, message, subject));
  return false;
}

async function lookAround(
  steps: Steps,
  reached: { readonly connection: VpsConnection; readonly link: VpsLink },
  signal: AbortSignal,
): Promise<void> {
  const { connection, link } = reached;
  const subject = subjectOf(connection.target);
  const probe = await link.look(signal);
  const rights = judgeRights(await tryRights({ ...reached, looks: probe.result.kind === 'state' }, signal));
  steps.add(rightsInWords(rights, subject));
  const verdict = judge(probe.result, { graceUsed: true, start: null }, new Date());
  const cause = causeOf(verdict);
  // Without rights it may be that nobody is told how the service is.
  if (rights.held === 'none' && cause !== null && NO_STATE.includes(cause)) return;
  if (cause !== null && (OF_UNIT.includes(cause) || NO_STATE.includes(cause) || verdict.kind === 'unreachable')) {
    steps.add(failed('unit', cause, messageOf(verdict), subject));
    return;
  }
  steps.add(unitExists(subject.service));
  steps.add(stateInWords(verdict.kind === 'healthy', messageOf(verdict)));
  steps.add(linkOutcome(link.facts));
}

const OF_UNIT: readonly Cause[] = ['unit_missing', 'unit_masked', 'unit_broken'];
const NO_STATE: readonly Cause[] = ['sudo_refused', 'odd_answer'];

const causeOf = (verdict: Verdict): Cause | null => (verdict.kind === 'healthy' ? null : verdict.cause);
const messageOf = (verdict: Verdict): string => (verdict.kind === 'healthy' ? '' : verdict.message);

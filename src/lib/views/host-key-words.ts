import type { StepOutcome } from '../facts/preflight.ts';

/** What is known of the key that a host shows; keys as `nameHostKey` names them. */
export type HostKeySeen = {
  readonly shown: string;
  /** What it has to be; null at a first connection. */
  readonly pinned: string | null;
};

const COMPARE = 'ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub';

/** What the key that a host shows is worth, and what to do about it. */
export function hostKeyInWords({ shown, pinned }: HostKeySeen): StepOutcome {
  const step = 'host_key';
  if (pinned === null)
    return {
      step,
      verdict: 'noted',
      saw: `It shows ${shown}, for the first time.`,
      why: 'It is pinned: from now on this key, and no other, is trusted. Whoever is in between now would be trusted as well, so compare it with what the machine says on its own console.',
      command: { on: 'vps', text: COMPARE },
    };
  if (shown === pinned)
    return { step, verdict: 'passed', saw: `It shows ${shown}, as pinned.`, why: '', command: null };
  return {
    step,
    verdict: 'failed',
    saw: `It shows ${shown}, and not the pinned ${pinned}.`,
    why: 'It was reinstalled, or someone is in between. Compare the new one with what the machine says on its own console: if they are the same, trust it; if not, do not.',
    command: { on: 'vps', text: COMPARE },
  };
}

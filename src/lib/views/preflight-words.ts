import { CAUSES, type Cause } from '../facts/cause.ts';
import { hostAndPort } from '../facts/host-words.ts';
import type { LinkFacts } from '../facts/link.ts';
import type { PreflightStep, StepOutcome } from '../facts/preflight.ts';
import { linkInWords, linkLimitInWords } from './link-words.ts';
import type { RightsJudged } from '../provisioning/rules/rights.ts';
import { shellWord } from '../provisioning/rules/shell-word.ts';

/** What the words of a preflight are about. */
export type PreflightSubject = {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly service: string;
  /** Our half of the login key, as it belongs into `authorized_keys`. */
  readonly publicKey: string;
};

type Command = StepOutcome['command'];
const onVps = (text: string): Command => ({ on: 'vps', text });
const here = (text: string): Command => ({ on: 'here', text });

const passed = (step: PreflightStep, saw: string, why = ''): StepOutcome => ({
  step,
  verdict: 'passed',
  saw,
  why,
  command: null,
});
const noted = (step: PreflightStep, saw: string, why: string, command: Command = null): StepOutcome => ({
  ...passed(step, saw, why),
  verdict: 'noted',
  command,
});
export const skipped = (step: PreflightStep, saw: string): StepOutcome => ({
  ...passed(step, saw),
  verdict: 'skipped',
});

const sentence = (text: string): string => `${text.slice(0, 1).toUpperCase()}${text.slice(1).replace(/\.$/, '')}.`;

/** How a public key gets into `authorized_keys` of a login, typed in as root on the VPS; twice does no harm. */
export function authorizeCommand(user: string, line: string): string {
  const add = `umask 077; mkdir -p ~/.ssh && touch ~/.ssh/authorized_keys && grep -qxF "$1" ~/.ssh/authorized_keys || echo "$1" >>~/.ssh/authorized_keys`;
  return `sudo -u ${shellWord(user)} -H sh -c '${add}' sh ${shellWord(line)}`;
}

/** The line for `authorized_keys` of a login with a shell: nothing but commands. */
export const authorizedLine = (publicKey: string): string => `restrict ${publicKey} wardround`;

const COMMANDS: { readonly [cause in Cause]?: (subject: PreflightSubject) => Command } = {
  dns: ({ host }) => here(`getent hosts ${shellWord(host)}`),
  resolver: ({ host }) => here(`getent hosts ${shellWord(host)}`),
  address_refused: () => here('echo ALLOWED_ADDRESSES=any >>.env   # then restart the server'),
  refused: () => onVps('sudo systemctl enable --now ssh && sudo ss -ltnp | grep sshd'),
  timeout: ({ port }) => onVps(`sudo ufw allow ${port}/tcp   # or the firewall of its provider`),
  unreachable: ({ host }) => here(`ip route get ${shellWord(host)}`),
  reset: () => onVps('sudo journalctl --unit=ssh --lines=20'),
  protocol: () => onVps('sudo sshd -T | grep -i -E "kexalgorithms|ciphers"'),
  auth_rejected: ({ user, publicKey }) => onVps(authorizeCommand(user, authorizedLine(publicKey))),
  host_key_changed: () => onVps('ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub'),
  unit_missing: () => onVps('systemctl list-unit-files --type=service'),
  unit_masked: ({ service }) => onVps(`sudo systemctl unmask ${shellWord(service)}`),
  unit_broken: ({ service }) =>
    onVps(`systemctl status ${shellWord(service)}; systemd-analyze verify ${shellWord(service)}`),
  odd_answer: ({ host, port, user }) =>
    here(`ssh -p ${port} ${shellWord(`${user}@${host}`)} true   # prints nothing, if all is well`),
};

/** What went wrong in a step, why, and what mends it: from the one table of causes. */
export const failed = (step: PreflightStep, cause: Cause, message: string, subject: PreflightSubject): StepOutcome => ({
  step,
  verdict: 'failed',
  saw: sentence(message),
  why: CAUSES[cause].todo,
  command: COMMANDS[cause]?.(subject) ?? null,
});

export const resolved = (host: string, addresses: readonly string[]): StepOutcome =>
  addresses.length === 1 && addresses[0] === host
    ? skipped('resolve', `${host} is an address: there is nothing to look up.`)
    : passed('resolve', `${host} is ${addresses.join(', ')}.`);

/** The same where nothing may be dialled of what it is. */
export const resolvedSomewhere = (host: string): StepOutcome => passed('resolve', `${host} is known.`);

export const addressAllowed = (addresses: readonly string[]): StepOutcome =>
  passed('address', `${addresses.length === 1 ? 'It' : 'Each of them'} may be dialled.`);

export const dialled = (address: string, port: number): StepOutcome =>
  passed('dial', `${hostAndPort(address, port)} answers.`);

export const loggedIn = (user: string): StepOutcome => passed('login', `Logged in as ${user} with this key.`);

const and = (words: readonly string[]): string =>
  words.length <= 1 ? (words[0] ?? '') : `${words.slice(0, -1).join(', ')} and ${words.at(-1)}`;

const HELD: Readonly<Record<Exclude<RightsJudged['held'], 'none'>, string>> = {
  bus: "May start and restart the service over systemd's bus (recipe bus).",
  sudo: 'May look at and restart the service by sudo (recipe sudo).',
  root: 'May look at and restart the service, as it is root.',
};
const TRIED = 'Nothing else that was tried was allowed: to stop it, another service, any command, a way to elsewhere.';

/** Which recipe holds, and what the login can do beyond it. */
export function rightsInWords(
  { held, isProven, beyond, lacks }: RightsJudged,
  { host, user }: PreflightSubject,
): StepOutcome {
  const recipe = here(`wardround vps recipe ${shellWord(host)}`);
  if (held === 'none')
    return {
      step: 'rights',
      verdict: 'failed',
      saw: `${user} logs in, but may not restart the service.`,
      why: 'It needs either a rule of polkit (recipe bus) or lines for sudo (recipe sudo). This prints a script that gives it the rights that it needs and no others; run that on the VPS as root.',
      command: recipe,
    };
  if (!isProven)
    return noted(
      'rights',
      'May look at the service by sudo.',
      'Whether it may restart it could not be told, as the login gives no shell that answers.',
      recipe,
    );
  const lack = lacks.length === 0 ? '' : ` It may not ${and(lacks)}.`;
  if (beyond.length === 0) return passed('rights', HELD[held], `${TRIED}${lack}`);
  return noted(
    'rights',
    `${HELD[held]} More rights than needed.`,
    `It may also ${and(beyond)}.${lack} A login with the rights that are needed, and no others:`,
    recipe,
  );
}

export const unitExists = (service: string): StepOutcome => passed('unit', `${service} is there.`);

/** How the service is; it need not run to be taken on board. */
export const stateInWords = (isUp: boolean, message: string): StepOutcome =>
  isUp
    ? passed('state', 'It is running.')
    : noted('state', sentence(message), 'That does not keep it from being watched: the first sweeps heal it.');

export function linkOutcome(link: LinkFacts): StepOutcome {
  const limit = linkLimitInWords(link);
  const saw = sentence(linkInWords(link));
  return limit === null
    ? passed('link', saw)
    : noted('link', saw, sentence(`No better link, as ${limit.why}${limit.todo === null ? '' : `. ${limit.todo}`}`));
}

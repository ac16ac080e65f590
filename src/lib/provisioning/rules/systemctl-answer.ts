import type { CauseWith } from '../../facts/cause.ts';
import { maskSecretsIn } from '../../facts/mask-secrets.ts';
import { cleanRemoteText } from '../../facts/remote-text.ts';
import { isKnownState } from '../../facts/unit-state.ts';

/** What a command has printed, and how it ended. Every byte of it may come from an attacker. */
export type Said = { readonly exitCode: number; readonly stdout: string; readonly stderr: string };

// No pattern here may backtrack over what a host says, and none sees more of it than this; see patterns.test.ts.
const LONGEST_READ = 4_096;
const linesOf = (text: string): string[] => text.slice(0, LONGEST_READ).split('\n');

/** As it may be stored and shown. */
const clean = (text: string, longest?: number): string => maskSecretsIn(cleanRemoteText(text, longest));

const OF_SYSTEMCTL = ['Failed to ', 'Job for ', 'A dependency job for ', 'System has not been booted '];
const speaksSystemctl = (text: string): boolean =>
  linesOf(text).some((line) => OF_SYSTEMCTL.some((beginning) => line.startsWith(beginning)));

/** Not refused: it has nothing to run. sudo-rs quotes the name. */
const NO_SYSTEMCTL = /^sudo: '?systemctl'?: /m;

/**
 * Whether this is sudo saying no (or the shell, for want of it), in any of its languages: sudo and sudo-rs put their name
 * before what they say or in it, or else quote the command. Neither is ever translated, but in Serbian. Where systemctl
 * has spoken, sudo had let it, and only warned.
 */
const speaksSudo = (text: string): boolean =>
  !speaksSystemctl(text) &&
  !NO_SYSTEMCTL.test(text.slice(0, LONGEST_READ)) &&
  /sudo|судо|systemctl (?:is-active|restart)/i.test(text.slice(0, LONGEST_READ));

export type StateRead =
  | { readonly kind: 'state'; readonly activeState: string }
  | { readonly kind: 'sudo_refused' | 'odd_answer'; readonly message: string };

/**
 * The word that `sudo systemctl is-active` has printed, or why there is none: SSH works, and somebody has to mend the
 * machine. A word that comes after other text is none: whoever prints that text might print the word, too.
 */
export function readState({ exitCode, stdout, stderr }: Said): StateRead {
  const activeState = stdout.trim();
  if (isKnownState(activeState)) return { kind: 'state', activeState };
  const said = clean(stderr || stdout) || 'nothing';
  if (speaksSudo(stderr)) return { kind: 'sudo_refused', message: `sudo refused: ${said}` };
  if (speaksSystemctl(stderr)) return { kind: 'odd_answer', message: `systemd could not be asked: ${said}` };
  const last = stdout.slice(-LONGEST_READ).trimEnd().split('\n').at(-1)?.trim() ?? '';
  if (isKnownState(last)) {
    const before = clean(stdout, 60);
    const message = `the login prints text before every answer (${before}): let its start files print for terminals only`;
    return { kind: 'odd_answer', message };
  }
  return { kind: 'odd_answer', message: `systemctl answered with exit code ${exitCode}: ${said}` };
}

export type RestartFailure = { readonly code: CauseWith<{ ofRestart: true }>; readonly message: string };

const LIMIT_SPEAKS = /attempted too often|repeated too quickly|start[- ]limit/i;

/** Why `sudo systemctl restart` of this unit did not work. `neverStarted`: nothing has been started meanwhile. */
export function readFailedRestart(
  said: Said,
  { service, neverStarted }: { readonly service: string; readonly neverStarted: boolean },
): RestartFailure {
  const text = said.stderr || said.stdout;
  const cleaned = clean(text);
  if (speaksSudo(text)) return { code: 'restart_refused', message: `restart not permitted: ${cleaned}` };
  // Where the account may not read what the unit is, the refusal tells.
  const refusal = linesOf(text).find((line) => line.startsWith('Failed to restart ')) ?? '';
  if (/ not found\.?$/.test(refusal))
    return { code: 'unit_missing', message: `the service is not installed on the VPS: ${cleaned}` };
  if (/ is masked\.?$/.test(refusal))
    return { code: 'unit_masked', message: `the service is masked on the VPS: ${cleaned}` };
  if ((neverStarted && isFailedJob(said)) || LIMIT_SPEAKS.test(text.slice(0, LONGEST_READ)))
    return {
      code: 'start_limit',
      message: `restart refused by systemd's start limit: ${service} was started too often in a short time`,
    };
  return {
    code: 'restart_failed',
    message: `restart failed with exit code ${said.exitCode}${cleaned && `: ${cleaned}`}`,
  };
}

/**
 * Whether it was the job that failed. systemctl tells why by the unit's last result, and the start limit does not replace
 * that of a crash: it then says that "the control process exited with error code", while no process was started at all.
 */
export const isFailedJob = ({ stdout, stderr }: Said): boolean =>
  linesOf(stderr || stdout).some((line) => line.startsWith('Job for ') && line.includes(' failed'));

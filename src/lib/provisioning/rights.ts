import { cleanRemoteText } from '../facts/remote-text.ts';
import { contractCommands, NOT_ALLOWED, sudoTrials } from './rules/contract-commands.ts';
import { isPasswordless, readSudoList, type RightsFacts, type SudoTrial } from './rules/rights.ts';
import { isCertificateLogin } from './ssh-session.ts';
import type { VpsConnection } from './vps-connection.ts';
import type { VpsLink } from './vps-link.ts';

const PATIENCE_MS = 5_000;
const LONGEST_ENTRY = 120;
const MOST_ENTRIES = 5;

/**
 * What this login may do, by questions that change nothing whatever the answer: sudo is asked what it would do, systemd
 * gets orders that it judges and cannot carry out (`UnitBus.mayOrder`), and the way to elsewhere leads to a port on which
 * nobody listens. `link` has just looked at the VPS over `connection`.
 */
export async function tryRights(
  { connection, link, looks }: { readonly connection: VpsConnection; readonly link: VpsLink; readonly looks: boolean },
  signal: AbortSignal,
): Promise<RightsFacts> {
  const bus = await link.busRights(signal);
  const opened = await connection.session(signal);
  const forwards = opened.ok ? await opened.session.mayForward({ timeoutMs: PATIENCE_MS }) : null;
  const shell = link.isBusOnly ? null : await readShell(connection, signal);
  const isConfined = isCertificateLogin(connection.target.privateKey) && (await isRefused('true', connection, signal));
  return { uid: null, groups: [], sudo: null, ...shell, bus, looks: looks && !link.isBusOnly, forwards, isConfined };
}

async function isRefused(command: string, connection: VpsConnection, signal: AbortSignal): Promise<boolean> {
  const answer = await connection.run({ command, timeoutMs: PATIENCE_MS, reads: true, signal });
  return answer.ok && answer.exitCode !== 0 && answer.stderr.includes(NOT_ALLOWED);
}

async function readShell(
  connection: VpsConnection,
  signal: AbortSignal,
): Promise<Pick<RightsFacts, 'uid' | 'groups' | 'sudo'> | null> {
  const { service } = connection.target;
  const command = contractCommands(service).rights;
  const answer = await connection.run({ command, timeoutMs: PATIENCE_MS, reads: true, signal });
  if (!answer.ok) return null;
  const lines = answer.stdout.split('\n');
  const read = (name: string): string =>
    lines.find((line) => line.startsWith(`${name}=`))?.slice(name.length + 1) ?? '';
  if (!/^\d{1,10}$/.test(read('uid'))) return null;
  const entries = readSudoList(answer.stdout);
  const found = Object.keys(sudoTrials(service)).map((name): [string, string] => [name, read(name).trim()]);
  const isAllowed = (said: string): boolean => said !== '' && isPasswordless(entries, said);
  const needed = found
    .filter(([name]) => ['look', 'restart', 'reset', 'journal'].includes(name))
    .map(([, said]) => said);
  const more = entries.filter(({ noPassword, command: allowed }) => noPassword && !needed.includes(allowed));
  return {
    uid: Number(read('uid')),
    groups: read('groups').split(' ').filter(Boolean),
    sudo: {
      ...(Object.fromEntries(found.map(([name, said]) => [name, isAllowed(said)])) as Record<SudoTrial, boolean>),
      more: more.slice(0, MOST_ENTRIES).map((entry) => cleanRemoteText(entry.command, LONGEST_ENTRY)),
    },
  };
}

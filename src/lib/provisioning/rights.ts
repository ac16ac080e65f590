import { cleanRemoteText } from '../facts/remote-text.ts';
import { isPasswordless, readSudoList, type RightsFacts, type SudoTrial } from './rules/rights.ts';
import { shellWord } from './rules/shell-word.ts';
import type { VpsConnection } from './vps-connection.ts';
import type { VpsLink } from './vps-link.ts';
import { journalCommand } from './vps-status.ts';

const PATIENCE_MS = 5_000;
const LONGEST_ENTRY = 120;
const MOST_ENTRIES = 5;
/** A unit that no recipe is about. */
const ANOTHER_UNIT = 'systemd-journald.service';

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
  return { uid: null, groups: [], sudo: null, ...shell, bus, looks: looks && !link.isBusOnly, forwards };
}

/** What sudo is asked, by what the answer is for. */
const trialsOf = (unit: string): Readonly<Record<SudoTrial, string>> => ({
  look: `systemctl is-active ${unit}`,
  restart: `systemctl restart ${unit}`,
  reset: `systemctl reset-failed ${unit}`,
  journal: journalCommand(unit),
  stop: `systemctl stop ${unit}`,
  other: `systemctl restart ${ANOTHER_UNIT}`,
  any: '/bin/sh',
});

async function readShell(
  connection: VpsConnection,
  signal: AbortSignal,
): Promise<Pick<RightsFacts, 'uid' | 'groups' | 'sudo'> | null> {
  const trials = trialsOf(shellWord(connection.target.service));
  // `sudo -l COMMAND` prints the command with its path, if it is allowed at all, and runs nothing.
  const asks = Object.entries(trials).map(([name, command]) => `echo "${name}=$(sudo -n -l ${command} 2>/dev/null)"`);
  const script = [
    'LC_ALL=C; export LC_ALL',
    'echo "uid=$(id -u)"',
    'echo "groups=$(id -Gn)"',
    ...asks,
    'sudo -n -l 2>/dev/null',
  ];
  const command = `sh -c ${shellWord(script.join('\n'))}`;
  const answer = await connection.run({ command, timeoutMs: PATIENCE_MS, reads: true, signal });
  if (!answer.ok) return null;
  const lines = answer.stdout.split('\n');
  const read = (name: string): string =>
    lines.find((line) => line.startsWith(`${name}=`))?.slice(name.length + 1) ?? '';
  if (!/^\d{1,10}$/.test(read('uid'))) return null;
  const entries = readSudoList(answer.stdout);
  const found = Object.keys(trials).map((name): [string, string] => [name, read(name).trim()]);
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

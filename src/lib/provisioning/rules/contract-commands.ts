import { shellWord } from './shell-word.ts';
import { READ_UPTIME, UNIT_PROPERTIES } from './unit-facts.ts';

/** Part of systemd's own package; joins its standard streams to the system bus. Source: systemd-stdio-bridge(1). */
export const BRIDGE = 'systemd-stdio-bridge';
const JOURNAL_LINES = 50;
export const LONGEST_JOURNAL = 16 * 1024;
/** A unit that no recipe is about. */
const ANOTHER_UNIT = 'systemd-journald.service';

/** `unit` as one word of a command line. */
const journalCommand = (unit: string): string =>
  `journalctl --unit=${unit} --lines=${JOURNAL_LINES} --no-pager --quiet --output=short-iso`;

/** What sudo is asked, by what the answer is for. */
export const sudoTrials = (service: string) => {
  const unit = shellWord(service);
  return {
    look: `systemctl is-active ${unit}`,
    restart: `systemctl restart ${unit}`,
    reset: `systemctl reset-failed ${unit}`,
    journal: journalCommand(unit),
    stop: `systemctl stop ${unit}`,
    other: `systemctl restart ${ANOTHER_UNIT}`,
    any: '/bin/sh',
  } as const;
};

/**
 * Every command line that a VPS is ever sent, but for `BRIDGE`: a login may be confined to these. `service` is a unit name
 * that matches `UNIT_NAME`.
 */
export function contractCommands(service: string) {
  const unit = shellWord(service);
  const readJournal = journalCommand(unit);
  const restart = `sudo systemctl restart ${unit}`;
  return {
    look: `sudo systemctl is-active ${unit}`,
    /** Reading needs no sudo. */
    show: `systemctl show ${unit} --property=${UNIT_PROPERTIES.join(',')} && ${READ_UPTIME}`,
    // sudo, if it lets us; else the login may be a member of systemd-journal. Cut there, as lines can be of any length;
    // one byte more than is kept shows that it was cut.
    journal: `(sudo -n ${readJournal} || ${readJournal}) 2>/dev/null | tail -c ${LONGEST_JOURNAL + 1}`,
    restart,
    // Its failure is no reason not to try, and its words would be taken for the other's: most units have nothing to forgive.
    forgiveAndRestart: `sudo systemctl reset-failed ${unit} 2>/dev/null; ${restart}`,
    /** Asks sudo, and does nothing. */
    mayRestart: `sudo -n -l systemctl restart ${unit}`,
    rights: rightsScript(service),
  } as const;
}

/** `sudo -l COMMAND` prints the command with its path, if it is allowed at all, and runs nothing. */
function rightsScript(service: string): string {
  const asks = Object.entries(sudoTrials(service)).map(
    ([name, command]) => `echo "${name}=$(sudo -n -l ${command} 2>/dev/null)"`,
  );
  const script = [
    'LC_ALL=C; export LC_ALL',
    'echo "uid=$(id -u)"',
    'echo "groups=$(id -Gn)"',
    ...asks,
    'sudo -n -l 2>/dev/null',
  ];
  return `sh -c ${shellWord(script.join('\n'))}`;
}

/** What a login says that is confined to some commands and is asked for another. */
export const NOT_ALLOWED = 'this login allows the commands of Wardround for one service alone';

/**
 * A command for sshd to force (`force-command`): lets each of `commands` through as it is asked for, word for word, and
 * refuses everything else. For a login shell that knows `case` as sh(1) does.
 */
export const confinedTo = (commands: readonly string[]): string =>
  [
    'case $SSH_ORIGINAL_COMMAND in',
    `${commands.map(quoted).join('|')}) eval "$SSH_ORIGINAL_COMMAND";;`,
    `*) echo ${quoted(NOT_ALLOWED)} >&2; exit 126;;`,
    'esac',
  ].join(' ');

const quoted = (text: string): string => `'${text.replaceAll("'", String.raw`'\''`)}'`;

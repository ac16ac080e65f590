import type { Recipe } from './rights.ts';
import { shellWord } from './shell-word.ts';
import { fullUnitName } from './unit-name.ts';

export type RecipeOrder = {
  readonly recipe: Recipe;
  /** The login that gets the rights; made where there is none. */
  readonly login: string;
  /** As it is asked for: `rachel8`, or `rachel8.service`. */
  readonly service: string;
  /** Our half of the login key: `ssh-ed25519 AAAA…`. */
  readonly publicKey: string;
};

/** What a login is given that an older polkit than 0.106 would not keep apart from everything else. */
const TOO_OLD =
  'its .pkla files see neither unit nor verb: they would let the login start any command as root. Use the recipe sudo';

/**
 * A script for sh(1), to be run as root on the VPS, that gives a login the rights it needs to look at one service and to
 * heal it, and no others. Run again, it changes nothing; with `undo`, it takes back what it did.
 */
export const recipeScript = (order: RecipeOrder): string =>
  [
    '#!/bin/sh',
    `# Wardround, recipe ${order.recipe}: lets the login ${order.login} look at ${order.service} and start it, and nothing else.`,
    '# As root on the VPS: sh FILE. Again does no harm. sh FILE undo takes it back.',
    'set -eu',
    `login=${shellWord(order.login)}`,
    `key=${shellWord(order.publicKey)}`,
    '[ "$(id -u)" = 0 ] || { echo "this has to be run as root" >&2; exit 1; }',
    ...KEY_FUNCTIONS,
    ...(order.recipe === 'bus' ? busPart(order) : sudoPart(order)),
  ]
    .join('\n')
    .concat('\n');

/** `authorized_keys` is written as its owner: whoever has the login could have put a link there. */
const KEY_FUNCTIONS = [
  'made="made for Wardround"',
  'as_login() { runuser -u "$login" -- sh -c "cd && umask 077 && $1" sh "${2-}" "${3-}"; }',
  '# The lines of other keys stay as they are.',
  'forget_key() { as_login \'[ ! -f .ssh/authorized_keys ] || { grep -vF "$1" .ssh/authorized_keys >.ssh/authorized_keys.new || :; cat .ssh/authorized_keys.new >.ssh/authorized_keys; rm .ssh/authorized_keys.new; }\' "$key"; }',
  'allow_key() { as_login \'mkdir -p .ssh && : >>.ssh/authorized_keys && { grep -qxF "$1" .ssh/authorized_keys || { grep -vF "$2" .ssh/authorized_keys >.ssh/authorized_keys.new || :; echo "$1" >>.ssh/authorized_keys.new; cat .ssh/authorized_keys.new >.ssh/authorized_keys; rm .ssh/authorized_keys.new; }; }\' "$1" "$key"; }',
  'make_login() { id "$login" >/dev/null 2>&1 || { useradd --create-home --shell /bin/sh --comment "$made" "$login" && usermod --password "*" "$login"; }; }',
  'forget_login() { id "$login" >/dev/null 2>&1 || return 0; forget_key; [ "$(getent passwd "$login" | cut -d: -f5)" != "$made" ] || { pkill -KILL -u "$login" || :; userdel --force --remove "$login" 2>/dev/null || :; }; }',
];

/** A file that is ours is written only where it differs, whole or not at all. */
const WRITE_FILE = [
  'write_file() { cat >"$1.new"; chmod "$2" "$1.new"; if cmp -s "$1.new" "$1"; then rm "$1.new"; else mv "$1.new" "$1"; fi; }',
];

const busPart = ({ login, service }: RecipeOrder): string[] => [
  'rules=/etc/polkit-1/rules.d/50-wardround.rules',
  ...WRITE_FILE,
  'if [ "${1-}" = undo ]; then rm -f "$rules"; forget_login; echo "Taken back."; exit 0; fi',
  'bridge=$(command -v systemd-stdio-bridge) || { echo "systemd-stdio-bridge is missing: it is part of systemd\'s package" >&2; exit 1; }',
  '[ -S /run/dbus/system_bus_socket ] || { echo "there is no system bus here: install dbus, or use the recipe sudo" >&2; exit 1; }',
  `polkit=$(pkaction --version 2>/dev/null | awk '{ print $NF }')`,
  'case $polkit in',
  '  "") echo "polkit is missing (package polkitd): install it, or use the recipe sudo" >&2; exit 1 ;;',
  `  0.[0-9] | 0.[0-9][0-9] | 0.10[0-5]) echo "polkit $polkit is too old: ${TOO_OLD}" >&2; exit 1 ;;`,
  'esac',
  'make_login',
  'allow_key "restrict,command=\\"$bridge\\" $key wardround"',
  'mkdir -p "${rules%/*}"',
  `write_file "$rules" 644 <<'RULES'`,
  ...polkitRule(login, fullUnitName(service)),
  'RULES',
  'echo "Done: $login may start this service over the bus, and nothing else."',
];

/** Unit **and** verb: without them, the login could start any command as root. */
const polkitRule = (login: string, unit: string): string[] => [
  'polkit.addRule(function (action, subject) {',
  '  if (',
  "    action.id == 'org.freedesktop.systemd1.manage-units' &&",
  `    subject.user == ${jsText(login)} &&`,
  `    action.lookup('unit') == ${jsText(unit)} &&`,
  "    ['start', 'restart', 'reset-failed'].indexOf(action.lookup('verb')) >= 0",
  '  )',
  '    return polkit.Result.YES;',
  '});',
];

const jsText = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;

const sudoPart = ({ login, service }: RecipeOrder): string[] => [
  'sudoers=/etc/sudoers.d/wardround',
  ...WRITE_FILE,
  'if [ "${1-}" = undo ]; then rm -f "$sudoers"; forget_login; echo "Taken back."; exit 0; fi',
  'command -v visudo >/dev/null || { echo "sudo is missing: install it" >&2; exit 1; }',
  'systemctl=$(command -v systemctl) journalctl=$(command -v journalctl)',
  'make_login',
  'allow_key "restrict $key wardround"',
  'new=$(mktemp)',
  'trap \'rm -f "$new"\' EXIT',
  'cat >"$new" <<RULES',
  ...sudoersLines(login, service),
  'RULES',
  '# A mistake in this folder could lock everybody out of sudo: it is read by sudo itself first.',
  'visudo -cqf "$new"',
  'write_file "$sudoers" 440 <"$new"',
  'echo "Done: $login may look at this service and restart it by sudo, and nothing else."',
];

/** Within a here-document that the shell reads: a backslash of sudoers has two. */
function sudoersLines(login: string, service: string): string[] {
  const unit = sudoersText(service);
  const commands = ['is-active', 'restart', 'reset-failed'].map((verb) => `$systemctl ${verb} ${unit}`);
  const journal = `$journalctl ${sudoersText('--unit=')}${unit} ${sudoersText('--lines=50 --no-pager --quiet --output=short-iso')}`;
  return [`${login} ALL=(root) NOPASSWD: ${commands.join(', ')}`, `${login} ALL=(root) NOPASSWD: ${journal}`];
}

/** Signs with a meaning in sudoers(5), and then in a here-document of sh(1). */
const sudoersText = (text: string): string =>
  text.replaceAll(/[\\,:=]/g, (sign) => `\\${sign}`).replaceAll('\\', '\\\\');

import { shellWord } from './shell-word.ts';

export type CertificateRecipe = {
  /** The login that certificates are taken for; it has to be there. */
  readonly login: string;
  /** What has to stand in them. */
  readonly principal: string;
  /** Who may sign them: `ssh-ed25519 AAAA…`; while the authority is rotated, two. */
  readonly authorities: readonly string[];
};

const FOLDER = '/etc/ssh/wardround';
const CONFIG = '/etc/ssh/sshd_config.d/50-wardround.conf';

/** What sshd is told. In a block of that login: whatever else is set there stays as it is for all others. */
export const sshdLines = ({ login }: Pick<CertificateRecipe, 'login'>): readonly string[] => [
  `Match User ${login}`,
  `  TrustedUserCAKeys ${FOLDER}/authority.pub`,
  `  AuthorizedPrincipalsFile ${FOLDER}/principals`,
  ...(login === 'root'
    ? ['  # Once nobody logs in as root otherwise:', '  # PermitRootLogin forced-commands-only']
    : []),
  'Match all',
];

/**
 * A script for sh(1), to be run as root on the VPS, that lets a login be used with certificates of this fleet. Run again,
 * it changes nothing; with `undo`, it takes back what it did. It asks sshd whether the whole is right before it is used.
 * Source: sshd_config(5), TrustedUserCAKeys, AuthorizedPrincipalsFile, Match; OpenSSH 8.2 or newer reads sshd_config.d.
 */
export const certificateScript = (recipe: CertificateRecipe): string =>
  `${[
    '#!/bin/sh',
    `# Wardround, recipe certificate: lets ${recipe.login} be logged in to with certificates for ${recipe.principal}.`,
    '# As root on the VPS: sh FILE. Again does no harm. sh FILE undo takes it back.',
    'set -eu',
    '[ "$(id -u)" = 0 ] || { echo "this has to be run as root" >&2; exit 1; }',
    `folder=${FOLDER} config=${CONFIG}`,
    'sshd=$(command -v sshd || echo /usr/sbin/sshd)',
    'reload() { systemctl reload ssh 2>/dev/null || systemctl reload sshd 2>/dev/null || systemctl try-reload-or-restart ssh sshd; }',
    'if [ "${1-}" = undo ]; then rm -rf "$folder" "$config"; reload; echo "Taken back."; exit 0; fi',
    `id ${shellWord(recipe.login)} >/dev/null 2>&1 || { echo "there is no login ${recipe.login} here" >&2; exit 1; }`,
    'grep -qiE "^[[:space:]]*Include[[:space:]]+/etc/ssh/sshd_config.d/" /etc/ssh/sshd_config ||',
    '  { echo "sshd_config does not include /etc/ssh/sshd_config.d (OpenSSH 8.2 or newer does): put the lines of $config at its end by hand" >&2; exit 1; }',
    'mkdir -p "$folder" "${config%/*}"',
    `printf '%s\\n' ${recipe.authorities.map((line) => shellWord(line)).join(' ')} >"$folder/authority.pub"`,
    `printf '%s\\n' ${shellWord(recipe.principal)} >"$folder/principals"`,
    'chmod 755 "$folder"; chmod 644 "$folder/authority.pub" "$folder/principals"',
    `cat >"$config.new" <<'LINES'`,
    ...sshdLines(recipe),
    'LINES',
    'old=$(cat "$config" 2>/dev/null || :)',
    'mv "$config.new" "$config"',
    '"$sshd" -t || { if [ -n "$old" ]; then echo "$old" >"$config"; else rm "$config"; fi; echo "sshd does not take these lines; nothing was changed" >&2; exit 1; }',
    'reload',
    `echo "Done: certificates for ${recipe.principal} are taken for ${recipe.login}."`,
  ].join('\n')}\n`;

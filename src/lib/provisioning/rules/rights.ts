/** What a login was found to be allowed, by questions that change nothing. Null: could not be told, or there is no such way. */
export type RightsFacts = {
  /** Of the account, where it has a shell. */
  readonly uid: number | null;
  readonly groups: readonly string[];
  /** What systemd would do for it, told over the bus. */
  readonly bus: Readonly<Record<'start' | 'restart' | 'stop' | 'other', boolean | null>> | null;
  /** What sudo would do for it without a password. */
  readonly sudo: (Readonly<Record<SudoTrial, boolean>> & { readonly more: readonly string[] }) | null;
  /** Whether it has been told by command how the service is. */
  readonly looks: boolean;
  /** Whether the host passes it on to other places. */
  readonly forwards: boolean | null;
};

/** Questions to sudo: what it has to allow, and what it must not. */
export type SudoTrial = 'look' | 'restart' | 'reset' | 'journal' | 'stop' | 'other' | 'any';

export const RECIPES = ['bus', 'sudo'] as const;
export type Recipe = (typeof RECIPES)[number];
/** What lets a login look and heal; `none`: nothing does. */
export type RecipeHeld = Recipe | 'root' | 'none';

const BEYOND_WORDS = {
  root: 'do everything, as it is root',
  group: 'do as good as everything, by its groups',
  shell: 'run any program of its own (a shell)',
  stop: 'stop this service',
  other: 'restart other services',
  any: 'run any command as root',
  sudo: 'do more by sudo',
  forwards: 'reach other machines through this one (forwarding)',
} as const;
export type Beyond = keyof typeof BEYOND_WORDS;

export type RightsJudged = {
  readonly held: RecipeHeld;
  /** False: it can look, and whether it may restart could not be told. */
  readonly isProven: boolean;
  /** What it can do beyond what is needed, each as words that follow "may". */
  readonly beyond: readonly string[];
  /** What it would need and has not, likewise. */
  readonly lacks: readonly string[];
};

/** Who is in one of these makes itself root when it likes. */
const GROUPS_OF_ROOT = ['docker', 'lxd', 'incus-admin', 'disk', 'libvirt'];

/** Which recipe holds, and what is too much or too little for it. */
export function judgeRights({ uid, groups, bus, sudo, looks, forwards }: RightsFacts): RightsJudged {
  const byBus = bus?.start === true && bus.restart === true;
  const bySudo = sudo === null ? looks : sudo.look && sudo.restart;
  // Commands go through sudo, also those of root.
  const byRoot = uid === 0 && (looks || byBus);
  const held: RecipeHeld = byRoot ? 'root' : byBus ? 'bus' : bySudo ? 'sudo' : 'none';
  const has = new Set<Beyond>();
  if (uid === 0) has.add('root');
  const ofRoot = groups.filter((group) => GROUPS_OF_ROOT.includes(group));
  if (ofRoot.length > 0) has.add('group');
  // Root may all the rest.
  if (uid !== 0) {
    if (uid !== null && held === 'bus') has.add('shell');
    if (bus?.stop === true || sudo?.stop === true) has.add('stop');
    if (bus?.other === true || sudo?.other === true) has.add('other');
    if (sudo?.any === true) has.add('any');
    if (sudo !== null && !sudo.any && sudo.more.length > 0) has.add('sudo');
  }
  if (forwards === true) has.add('forwards');
  const words = (beyond: Beyond): string => {
    if (beyond === 'group') return `${BEYOND_WORDS.group} (${ofRoot.join(', ')})`;
    return beyond === 'sudo' ? `${BEYOND_WORDS.sudo} (${sudo?.more.join('; ')})` : BEYOND_WORDS[beyond];
  };
  const lacks = held === 'sudo' && sudo?.reset === false ? ['lift the start limit (reset-failed)'] : [];
  return { held, isProven: held !== 'sudo' || sudo !== null, beyond: [...has].map(words), lacks };
}

/** An entry of what `sudo -l` lists. */
type SudoEntry = { readonly noPassword: boolean; readonly command: string };

/** Entries of `sudo -l` in order, in the C locale: `    (root) NOPASSWD: /usr/bin/systemctl restart x, /bin/true`. */
export function readSudoList(text: string): SudoEntry[] {
  return text.split('\n').flatMap((line) => {
    const end = line.indexOf(') ');
    if (!line.startsWith('    (') || end < 0) return [];
    let noPassword = false;
    return splitAtCommas(line.slice(end + 2)).map((part) => {
      let command = part.trim();
      for (let tag = TAGS.find((one) => command.startsWith(one)); tag !== undefined;) {
        if (tag.endsWith('PASSWD:')) noPassword = tag === 'NOPASSWD:';
        command = command.slice(tag.length).trim();
        const rest = command;
        tag = TAGS.find((one) => rest.startsWith(one));
      }
      return { noPassword, command };
    });
  });
}

/** Source: sudoers(5), Tag_Spec. */
const TAGS = ['EXEC', 'NOEXEC', 'FOLLOW', 'NOFOLLOW', 'INTERCEPT', 'NOINTERCEPT', 'LOG_INPUT', 'NOLOG_INPUT']
  .concat(['LOG_OUTPUT', 'NOLOG_OUTPUT', 'MAIL', 'NOMAIL', 'PASSWD', 'NOPASSWD', 'SETENV', 'NOSETENV'])
  .map((tag) => `${tag}:`);

/** A comma within a command has a backslash before it. */
function splitAtCommas(text: string): string[] {
  const parts = [''];
  for (const [index, sign] of [...text].entries())
    if (sign === ',' && text[index - 1] !== '\\') parts.push('');
    else parts.push(`${parts.pop() ?? ''}${sign}`);
  return parts;
}

/** Whether these entries let a command run without a password: the last that fits counts, as in sudoers(5). */
export function isPasswordless(entries: readonly SudoEntry[], command: string): boolean {
  const fitting = entries.filter(({ command: pattern }) => fits(pattern, command));
  return fitting.at(-1)?.noPassword ?? false;
}

/** As sudo itself has said whether a command is allowed, this has only to find out which entry it was. */
function fits(pattern: string, command: string): boolean {
  if (pattern === 'ALL' || pattern === command) return true;
  const star = pattern.indexOf('*');
  if (star >= 0) return command.startsWith(pattern.slice(0, star));
  return !pattern.includes(' ') && command.startsWith(`${pattern} `);
}

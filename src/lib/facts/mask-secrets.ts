/*
 * Services write secrets into their logs, and what a log said before a restart is kept for years. The obvious ones are
 * masked before anything is stored. Every pattern begins with a word of its own or looks back a bounded way, and none can
 * match the same text in two ways: what a host says is matched in linear time.
 */

export const MASK = '[masked]';

const PATTERNS: readonly (readonly [RegExp, string])[] = [
  // Authorization: Bearer …; Cookie: …
  [/((?:authorization|cookie)["']?\s{0,3}[=:])\s{0,3}\S.*/gi, `$1 ${MASK}`],
  [/\b(bearer|basic)\s{1,3}[\w.~+/=-]{12,}/gi, `$1 ${MASK}`],
  // postgres://user:…@host
  [/(:\/\/[^\s/:@]{0,100}:)[^\s/@]{1,200}@/g, `$1${MASK}@`],
  // What some services' tokens begin with, JSON Web Tokens, and the tokens of Telegram's bots.
  [/\b(?:gh[opsur]_|github_pat_|glpat-|xox[abeprs]-|[sr]k_live_|AKIA|AIza)[\w-]{12,}/g, MASK],
  [/(?<![\w-])eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*/g, MASK],
  [/\b\d{8,10}:[\w-]{35}\b/g, MASK],
];

/** What says that a secret follows; */
const NAME = /password|passwd|passphrase|secret|token|credential|api[_-]?key|access[_-]?key|signature/gi;
/** the rest of the name, and the sign after it, if there is one; */
const REST = /[\w.-]*["']?\s*([=:]\s*)?/y;
/** and the secret: in quotes (a closing one that was cut off changes nothing), or up to the next thing. */
const VALUE = /"[^"]*"?|'[^']*'?|[^\s"'&,;)}\]]+/y;
const OPTION_VALUE = /[^\s-]\S*/y;

/** PASSWORD=…, "apiKey": "…", ?access_token=…, --password … */
function maskNamed(line: string): string {
  let masked = '';
  let copied = 0;
  NAME.lastIndex = 0;
  for (let name = NAME.exec(line); name !== null; name = NAME.exec(line)) {
    REST.lastIndex = NAME.lastIndex;
    const hasSign = REST.exec(line)?.[1] !== undefined;
    const value = hasSign ? VALUE : OPTION_VALUE;
    value.lastIndex = REST.lastIndex;
    // Whatever name comes within this word has the same end.
    NAME.lastIndex = REST.lastIndex;
    const isOption = (): boolean => line.startsWith('--', line.lastIndexOf(' ', name.index) + 1);
    // Asked at the end of a word only, so that no part of the line is searched twice.
    const isMeant = hasSign || (line[REST.lastIndex - 1] === ' ' && isOption());
    if (!isMeant || value.exec(line) === null) continue;
    masked += line.slice(copied, REST.lastIndex) + MASK;
    copied = NAME.lastIndex = value.lastIndex;
  }
  return masked + line.slice(copied);
}

const maskInLine = (line: string): string =>
  maskNamed(PATTERNS.reduce((masked, [pattern, instead]) => masked.replaceAll(pattern, instead), line));

const KEY = '[private key, masked]';
const BEGIN = /-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----/;
const END = /-----END [A-Z0-9 ]{0,40}PRIVATE KEY-----/;
/** Time, host and unit in front of what was written (`--output=short-iso`). */
const WRITTEN_BY = /^\S{1,40} \S{1,260} \S{1,300}: /;

/** What stands between the beginning and the end of a key: Base64 alone, or one of the old headers (RFC 1421). */
const isInsideKey = (line: string): boolean =>
  /^(?:[A-Za-z0-9+/=]+|(?:Proc-Type|DEK-Info): .{1,100})$/.test(line.replace(WRITTEN_BY, '').trim());

/**
 * Masks what is obviously a secret in lines of a remote host, which are clean and of bounded length: passwords and tokens
 * by the name in front of them, authorization headers, logins in addresses, private keys. A key becomes one line, also
 * when its beginning or its end was cut off. What a service writes without saying what it is, nobody can tell.
 */
export function maskSecrets(lines: readonly string[]): string[] {
  const masked: string[] = [];
  let inKey = false;
  for (const line of lines) {
    const begin = BEGIN.exec(line);
    const end = END.exec(line);
    if (begin !== null) {
      const after = end !== null && end.index > begin.index ? line.slice(end.index + end[0].length) : '';
      masked.push(maskInLine(line.slice(0, begin.index)) + KEY + maskInLine(after));
      inKey = end === null || end.index < begin.index;
    } else if (end !== null) {
      if (!inKey) {
        while (masked.length > 0 && isInsideKey(masked.at(-1) ?? '')) masked.pop();
        masked.push(KEY);
      }
      inKey = false;
    } else if (!inKey || !isInsideKey(line)) {
      inKey = false;
      masked.push(maskInLine(line));
    }
  }
  return masked;
}

/** The same for one line. */
export const maskSecretsIn = (line: string): string => maskSecrets([line]).join('');

/** One text without the private keys in it, of which each that has a beginning is gone to its end, or that of the text. */
export function maskKeysIn(text: string): string {
  const [before = '', ...behind] = text.split(BEGIN);
  return before + behind.map((rest) => KEY + rest.split(END).slice(1).join('')).join('');
}

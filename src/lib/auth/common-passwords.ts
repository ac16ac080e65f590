/** Nobody has to guess for long at a word with a number behind it: what is added must be less than the word. */
const isMostOf = (core: string, password: string): boolean => core.length * 2 >= password.length;

let list: Promise<ReadonlySet<string>> | undefined;

/** Loaded at first use: 49,000 passwords, which most commands never need. */
async function load(): Promise<ReadonlySet<string>> {
  const { dictionary } = await import('@zxcvbn-ts/language-common');
  return new Set(dictionary['passwords-common']);
}

function fromFirstToLastLetter(text: string): string {
  const characters = [...text];
  const isLetter = (character: string): boolean => /\p{L}/u.test(character);
  return characters.slice(characters.findIndex(isLetter), characters.findLastIndex(isLetter) + 1).join('');
}

/**
 * Whether this is one of the passwords that are tried first (NIST SP 800-63B-4, section 3.1.1.2), however it is
 * capitalized, or such a one, or one of `ownWords`, with digits and signs around it. `ownWords`: what stands for the
 * account and the service, such as the name before the @.
 */
export async function isCommonPassword(password: string, ownWords: readonly string[]): Promise<boolean> {
  const common = await (list ??= load());
  const whole = password.toLowerCase();
  const core = fromFirstToLastLetter(whole);
  if (common.has(whole)) return true;
  return isMostOf(core, whole) && (common.has(core) || ownWords.some((word) => word.toLowerCase() === core));
}

import { isPlainText } from '../facts/plain-text.ts';
import { isCommonPassword } from './common-passwords.ts';

/** What is wrong with a field, in words for whoever fills it in; fields that are right are absent. */
export type Problems<Field extends string> = { readonly [field in Field]?: string };

/**
 * Addresses that the sign-in takes; better-auth refuses any other there, so an account with such a one could not be
 * used.
 */
const EMAIL = /^(?!\.)(?!.*\.\.)[a-z0-9_'+\-.]*[a-z0-9_+-]@([a-z0-9][a-z0-9-]*\.)+[a-z]{2,}$/;
const LONGEST_EMAIL = 254;
const LONGEST_NAME = 100;
/** NIST SP 800-63B-4: length is what counts, and that nobody tries it first; no rules about kinds of characters. */
const SHORTEST_PASSWORD = 12;
export const LONGEST_PASSWORD = 128;

const GUESSABLE =
  'Choose a password that is harder to guess: this one, or one much like it, is among those tried first.';

export const normalizeEmail = (typed: string): string => typed.trim().toLowerCase();

export function emailProblem(email: string): string | undefined {
  if (email === '') return 'Enter an e-mail address.';
  if (email.length > LONGEST_EMAIL || !EMAIL.test(email)) return 'Enter an e-mail address such as name@example.com.';
  return undefined;
}

export const nameProblem = (name: string): string | undefined =>
  name.length > LONGEST_NAME || !isPlainText(name)
    ? `Use up to ${LONGEST_NAME} printable characters for the name.`
    : undefined;

export async function passwordProblem(password: string, email: string): Promise<string | undefined> {
  if (password.length < SHORTEST_PASSWORD)
    return `Choose a password of at least ${SHORTEST_PASSWORD} characters; a few words are good.`;
  if (password.length > LONGEST_PASSWORD) return `Choose a password of at most ${LONGEST_PASSWORD} characters.`;
  if ((email !== '' && password.toLowerCase().includes(email)) || new Set(password).size < 4) return GUESSABLE;
  if (await isCommonPassword(password, ['wardround', email.split('@')[0] ?? ''])) return GUESSABLE;
  return undefined;
}

/** Only what is wrong. */
export const problemsIn = <Field extends string>(
  fields: Record<Field, string | undefined>,
): Problems<Field> | undefined => {
  const wrong = Object.entries(fields).filter(([, problem]) => problem !== undefined);
  return wrong.length === 0 ? undefined : (Object.fromEntries(wrong) as Problems<Field>);
};

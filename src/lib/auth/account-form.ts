import * as z from 'zod/mini';
import { described, plainText, readBy } from '../parsing/fields.ts';
import { parse, parseAsync } from '../parsing/parse.ts';
import { inForm } from '../parsing/problems.ts';
import { isCommonPassword } from './common-passwords.ts';

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
const GUESSABLE = 'a password that is harder to guess: this one, or one much like it, is among those tried first';

export const normalizeEmail = (typed: string): string => typed.trim().toLowerCase();

export const emailAddress = readBy((text) => {
  const email = normalizeEmail(text);
  return email.length <= LONGEST_EMAIL && EMAIL.test(email) ? email : undefined;
}, 'an e-mail address such as name@example.com');

/** Null where there is none. */
export const personName = plainText(LONGEST_NAME);

/** A password for whoever signs in with this address; to be parsed with `parseAsync`. */
const passwordFor = (email: string) =>
  described(
    z.string().check(
      z.minLength(SHORTEST_PASSWORD, {
        error: `a password of at least ${SHORTEST_PASSWORD} characters; a few words are good`,
        abort: true,
      }),
      z.maxLength(LONGEST_PASSWORD, { error: `a password of at most ${LONGEST_PASSWORD} characters`, abort: true }),
      z.refine(async (text) => !(await isGuessable(text, email)), GUESSABLE),
    ),
    { description: 'a password', writeOnly: true, ask: 'Choose' },
  );

const isGuessable = async (password: string, email: string): Promise<boolean> =>
  (email !== '' && password.toLowerCase().includes(email)) ||
  new Set(password).size < 4 ||
  (await isCommonPassword(password, ['wardround', email.split('@')[0] ?? '']));

/** What is wrong with a new password, in words for whoever chooses it; undefined when nothing is. */
export async function passwordProblem(password: string, email: string): Promise<string | undefined> {
  const parsed = await parseAsync(z.object({ password: passwordFor(email) }), { password });
  return 'problems' in parsed ? inForm(parsed.problems).password : undefined;
}

export type NewAdmin = { readonly email: string; readonly name: string; readonly password: string };

/** A new admin's data as typed. */
export const parseAdmin = (given: NewAdmin) =>
  parseAsync(
    z.object({ email: emailAddress, name: personName, password: passwordFor(normalizeEmail(given.email)) }),
    given,
  );

const NewUser = z.object({ email: emailAddress, name: personName });
export type NewUser = z.output<typeof NewUser>;

/** The same without a password: an invitation follows. */
export const parseUser = (given: z.input<typeof NewUser>) => parse(NewUser, given);

/** The user's own name, which may be none, or what is wrong with it, in words for its field. */
export function parseName(name: string): { readonly name: string | null } | { readonly problem: string } {
  const parsed = parse(z.object({ name: personName }), { name });
  return 'value' in parsed ? parsed.value : { problem: inForm(parsed.problems).name ?? '' };
}

/** The address of somebody who has forgotten the password; likewise. */
export function parseEmail(email: string): { readonly email: string } | { readonly problem: string } {
  const parsed = parse(z.object({ email: emailAddress }), { email });
  return 'value' in parsed ? parsed.value : { problem: inForm(parsed.problems).email ?? '' };
}

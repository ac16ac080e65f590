import * as z from 'zod/mini';
import { described, plainText, readBy } from '../parsing/fields.ts';
import { parse } from '../parsing/parse.ts';
import { inForm } from '../parsing/problems.ts';

/**
 * Addresses that the sign-in takes; better-auth refuses any other there, so an account with such a one could not be
 * used.
 */
const EMAIL = /^(?!\.)(?!.*\.\.)[a-z0-9_'+\-.]*[a-z0-9_+-]@([a-z0-9][a-z0-9-]*\.)+[a-z]{2,}$/;
const LONGEST_EMAIL = 254;
const LONGEST_NAME = 100;
/** NIST SP 800-63B-4: length is what counts, no rules about kinds of characters. */
const SHORTEST_PASSWORD = 12;
export const LONGEST_PASSWORD = 128;
const HARDER = 'a password that is harder to guess';

export const normalizeEmail = (typed: string): string => typed.trim().toLowerCase();

export const emailAddress = readBy((text) => {
  const email = normalizeEmail(text);
  return email.length <= LONGEST_EMAIL && EMAIL.test(email) ? email : undefined;
}, 'an e-mail address such as name@example.com');

/** Null where there is none. */
export const personName = plainText(LONGEST_NAME);

/** A password for whoever signs in with this address. */
const passwordFor = (email: string) =>
  described(
    z.string().check(
      z.minLength(SHORTEST_PASSWORD, `a password of at least ${SHORTEST_PASSWORD} characters; a few words are good`),
      z.maxLength(LONGEST_PASSWORD, `a password of at most ${LONGEST_PASSWORD} characters`),
      z.refine((text) => new Set(text).size >= 4 && !(email !== '' && text.toLowerCase().includes(email)), HARDER),
    ),
    { description: 'a password', writeOnly: true, ask: 'Choose' },
  );

/** What is wrong with a new password, in words for whoever chooses it; undefined when nothing is. */
export function passwordProblem(password: string, email: string): string | undefined {
  const parsed = parse(z.object({ password: passwordFor(email) }), { password });
  return 'problems' in parsed ? inForm(parsed.problems).password : undefined;
}

export type NewAdmin = { readonly email: string; readonly name: string; readonly password: string };

/** A new admin's data as typed. */
export const parseAdmin = (given: NewAdmin) =>
  parse(z.object({ email: emailAddress, name: personName, password: passwordFor(normalizeEmail(given.email)) }), given);

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

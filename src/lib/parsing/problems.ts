/** What is wrong with one thing that a person or a program has given. */
export type Problem = {
  /** The key under which it was given; empty where several do not go together. */
  readonly field: string;
  /** How a person knows it: `port`, `host key`, `PORT`. */
  readonly name: string;
  /** What can stand in a sentence of what was given: quoted, cut, and without what is secret. */
  readonly given: string;
  /** What would be right, such as `a whole number from 1 to 65535`; empty where `given` says all. */
  readonly allowed: string;
  /** How a form asks for it: `Enter`, `Paste`, `Choose`. */
  readonly ask: string;
};

/** Something that was given and does not fit; for what is no longer a matter of its form alone. */
export const problem = (field: string, given: string, allowed = ''): Problem => ({
  field,
  name: field,
  given,
  allowed,
  ask: 'Enter',
});

/** For terminal and log, one line each: name, what was given, what is allowed. */
export const inTerminal = (problems: readonly Problem[]): string[] =>
  problems.map(({ name, given, allowed }) =>
    [[name, given].filter(Boolean).join(' '), allowed && `allowed: ${allowed}`].filter(Boolean).join('; '),
  );

/** For a form, by field: what to do. What concerns several fields has the empty name. */
export const inForm = <Field extends string>(problems: readonly Problem[]): { readonly [field in Field]?: string } =>
  Object.fromEntries(
    problems.map(({ field, name, given, allowed, ask }) => [
      field,
      sentence(allowed === '' ? [name, given].filter(Boolean).join(' ') : `${ask} ${allowed}`),
    ]),
  ) as { readonly [field in Field]?: string };

const sentence = (text: string): string => `${text.slice(0, 1).toUpperCase()}${text.slice(1).replace(/\.$/, '')}.`;

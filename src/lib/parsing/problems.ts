type ProblemAt<Field extends string> = {
  /** The key under which it was given; empty where several do not go together. */
  readonly field: Field;
  /** How a person knows it: `port`, `host key`, `PORT`. */
  readonly name: string;
  /** What can be said of what was given: `is "abc"`, `is missing`; nothing secret. */
  readonly given: string;
  /** A whole sentence that says more than name and given, without its full stop; null where there is none. */
  readonly reason: string | null;
  /** What would be right, such as `a whole number from 1 to 65535`; empty where the reason says all. */
  readonly allowed: string;
  /** How a form asks for it: `Enter`, `Paste`, `Choose`. */
  readonly ask: string;
};

/** What is wrong with one of these things that a person or a program has given, or with several of them together. */
export type Problem<Field extends string = string> = ProblemAt<Field | ''>;

/** A problem that no schema finds, as it is one of several fields or of how things are. */
export const problem = <Field extends string>(field: Field, reason: string, allowed = ''): ProblemAt<Field> => ({
  field,
  name: field,
  given: '',
  reason,
  allowed,
  ask: 'Enter',
});

/** For terminal and log, one line each: name, what was given, what is allowed. */
export const inTerminal = (problems: readonly Problem[]): string[] =>
  problems.map(
    ({ name, given, reason, allowed }) => `${reason ?? `${name} ${given}`}${allowed && `; allowed: ${allowed}`}`,
  );

/** What is to be done about each field that is wrong; the empty name is for what concerns several. */
export type FormProblems<Field extends string> = { readonly [field in Field | '']?: string };

/** For a form, by field: what to do. */
export const inForm = <Field extends string>(problems: readonly Problem<Field>[]): FormProblems<Field> =>
  Object.fromEntries(
    problems.map(({ field, reason, allowed, ask }) => [
      field,
      [allowed && sentence(`${ask} ${allowed}`), reason && sentence(reason)].filter(Boolean).join(' '),
    ]),
  ) as FormProblems<Field>;

const sentence = (text: string): string => `${text.slice(0, 1).toUpperCase()}${text.slice(1).replace(/\.$/, '')}.`;

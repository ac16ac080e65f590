import * as z from 'zod/mini';
import type { Problem } from './problems.ts';

/** What was read, or everything that is wrong with it. */
export type Parsed<Value> = { readonly value: Value } | { readonly problems: readonly Problem<keyof Value & string>[] };

/**
 * What people are told of a schema, in the words of JSON Schema, so that a description of the API can be made from it.
 * `title`: its name, where the key is none for people. `description`: what is allowed. `writeOnly`: it is secret, and what
 * was given is never shown.
 */
export type Meta = {
  readonly title?: string;
  readonly description: string;
  readonly writeOnly?: true;
  readonly default?: string;
  /** The verb of a form, where it is not `Enter`. */
  readonly ask?: string;
};

const LONGEST_GIVEN = 100;
/** An address with a login in it. */
const WITH_LOGIN = /\/\/[^/\s]*@/;

type Field<Schema extends z.ZodMiniObject> = keyof z.output<Schema> & string;

/**
 * Reads an object by its schema. A field has one problem at most: the first. Its words are the message of the check that
 * failed, or the description of the field's schema.
 */
export function parse<Schema extends z.ZodMiniObject>(
  schema: Schema,
  given: Readonly<Record<string, unknown>>,
): Parsed<z.output<Schema>> {
  return report(schema, given, schema.safeParse(given, OPTIONS));
}

/** The same for a schema with a check that takes its time. */
export const parseAsync = async <Schema extends z.ZodMiniObject>(
  schema: Schema,
  given: Readonly<Record<string, unknown>>,
): Promise<Parsed<z.output<Schema>>> => report(schema, given, await schema.safeParseAsync(given, OPTIONS));

// Without a message of its own an issue has none: zod's would be words for programmers. And to compile a parser takes
// longer than the one time that it would be used.
const OPTIONS = { error: () => '', jitless: true };

function report<Schema extends z.ZodMiniObject>(
  schema: Schema,
  given: Readonly<Record<string, unknown>>,
  result: z.core.util.SafeParseResult<z.output<Schema>>,
): Parsed<z.output<Schema>> {
  if (result.success) return { value: result.data };
  const problems = new Map<string, Problem<Field<Schema>>>();
  for (const { path, message, ...issue } of result.error.issues) {
    const field = String(path[0] ?? '') as Field<Schema> | '';
    if (problems.has(field)) continue;
    const meta = metaOf(schema.shape[field]);
    const { reason } = ('params' in issue ? issue.params : undefined) ?? {};
    problems.set(field, {
      field,
      name: meta?.title ?? field,
      given: inWords(given[field], meta?.writeOnly === true),
      reason: typeof reason === 'string' ? reason : null,
      allowed: message || (meta?.description ?? ''),
      ask: meta?.ask ?? 'Enter',
    });
  }
  // In the order of the schema, whatever check took its time; what concerns several fields comes first.
  const inOrder = ['', ...Object.keys(schema.shape)];
  return { problems: [...problems.values()].toSorted((a, b) => inOrder.indexOf(a.field) - inOrder.indexOf(b.field)) };
}

/** What is said of a schema, or of the one that it is made of. */
export function metaOf(schema: z.core.$ZodType | undefined): Meta | undefined {
  if (!schema) return undefined;
  const { innerType, in: before } = schema._zod.def as { innerType?: z.core.$ZodType; in?: z.core.$ZodType };
  return (z.globalRegistry.get(schema) as Meta | undefined) ?? metaOf(innerType ?? before);
}

/** Without the texts that are blank: in a form and in the environment they stand for nothing given. */
export const withoutBlanks = (given: Readonly<Record<string, unknown>>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(given).filter(([, value]) => typeof value !== 'string' || value.trim() !== ''));

/** What was given, as it can be shown. */
function inWords(given: unknown, isSecret: boolean): string {
  if (given === undefined) return 'is missing';
  const text = typeof given === 'string' ? given : JSON.stringify(given);
  if (isSecret || WITH_LOGIN.test(text)) return 'is not valid (what was given may hold a secret and is not shown)';
  return `is ${JSON.stringify(text.length > LONGEST_GIVEN ? `${text.slice(0, LONGEST_GIVEN)}…` : text)}`;
}

import type * as z from 'zod/mini';
import { parse, withoutBlanks, type Parsed } from './parse.ts';

/** The texts that were posted under a name; files are left out. */
const textsOf = (data: FormData, name: string): string[] =>
  data.getAll(name).filter((value) => typeof value === 'string');

/** The first text under each name, as it was typed; empty where there is none. */
export const typedIn = <Name extends string>(data: FormData, ...names: Name[]): Record<Name, string> =>
  Object.fromEntries(names.map((name) => [name, textsOf(data, name)[0] ?? ''])) as Record<Name, string>;

/** Reads a posted form by its schema. A field that is left blank is not given; a list has every value of its name. */
export function parseForm<Schema extends z.ZodMiniObject>(schema: Schema, data: FormData): Parsed<z.output<Schema>> {
  const given = Object.entries(schema.shape).map(([name, field]): [string, unknown] => {
    const texts = textsOf(data, name);
    return [name, field._zod.def.type === 'array' ? texts : texts[0]];
  });
  return parse(schema, withoutBlanks(Object.fromEntries(given)));
}

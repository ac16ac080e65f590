import type * as z from 'zod/mini';
import { wholeNumber } from '../src/lib/parsing/fields.ts';
import { parse } from '../src/lib/parsing/parse.ts';
import { inTerminal, type Problem } from '../src/lib/parsing/problems.ts';
import { UsageError } from './context.ts';

/** How many rows a list may have. */
export const rowLimit = wholeNumber(1, 99_999);

/** Ends a command that cannot be understood: throws `UsageError` with every problem. */
export function refuse(problems: readonly Problem[]): never {
  throw new UsageError(inTerminal(problems).join('\n'));
}

/** What was understood; refuses the rest. */
export function accepted<Result extends object>(result: Result): Exclude<Result, Refused> {
  if ('problems' in result) return refuse((result as Refused).problems);
  return result as Exclude<Result, Refused>;
}
type Refused = { readonly problems: readonly Problem[] };

/** Options by their schema; refuses others, and names each with a problem as it was typed: `--host-key`. */
export function readOptions<Schema extends z.ZodMiniObject>(
  schema: Schema,
  given: Readonly<Record<string, unknown>>,
): z.output<Schema> {
  const parsed = parse(schema, given);
  if ('value' in parsed) return parsed.value;
  return refuse(parsed.problems.map((problem) => ({ ...problem, name: optionOf(problem.field) })));
}

const optionOf = (field: string): string => `--${field.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;

import SSHConfig, { LineType, type Directive, type Line } from 'ssh-config';
import {
  MOST_ENTRIES,
  MOST_PROBLEMS,
  notUsed,
  tooMany,
  type FileProblem,
  type FleetEntry,
  type FleetFile,
} from './fleet-entry.ts';

/** Sections with a pattern are compared with every host. */
const MOST_PATTERNS = 200;

type Block = {
  readonly line: number;
  readonly patterns: readonly string[];
  /** In small letters; the first one of a name counts. */
  readonly values: ReadonlyMap<string, string>;
};

/**
 * The hosts of an SSH client's configuration, ssh_config(5): each `Host` without a pattern, with what the sections say that
 * hold for it, the first one first. Nothing in it is run or resolved: `Match` and `Include` are left out.
 */
export function readSshConfig(text: string): FleetFile {
  let lines: readonly Line[];
  try {
    lines = SSHConfig.parse(text);
  } catch (error) {
    const why = error instanceof Error ? error.message.slice(0, 120) : '';
    return { problems: [{ line: null, reason: `this is no configuration of an SSH client (${why})` }] };
  }
  const { blocks, unused } = blocksOf(lines);
  const names = blocks.flatMap(({ patterns, line }) => patterns.filter(isName).map((name) => ({ name, line })));
  if (names.length === 0) return { problems: [{ line: null, reason: 'no line such as "Host web1" names a host' }] };
  if (names.length > MOST_ENTRIES) return { problems: [tooMany(`${names.length} hosts`)] };
  const wide = blocks.filter(({ patterns }) => !patterns.every(isName));
  if (wide.length > MOST_PATTERNS)
    return {
      problems: [{ line: null, reason: `${wide.length} sections have a pattern; allowed: up to ${MOST_PATTERNS}` }],
    };
  const exact = Map.groupBy(
    blocks.flatMap((block, index) => block.patterns.filter(isName).map((name) => ({ name, index }))),
    ({ name }) => name,
  );
  const wideAt = wide.map((block) => blocks.indexOf(block));
  const problems: FileProblem[] = [];
  const entries = new Map<string, FleetEntry>();
  for (const { name, line } of names) {
    if (entries.has(name)) continue;
    const indexes = new Set([...(exact.get(name) ?? []).map(({ index }) => index), ...wideAt]);
    const values = new Map<string, string>();
    for (const index of [...indexes].toSorted((a, b) => a - b)) {
      const block = blocks[index];
      if (!block || !holdsFor(block.patterns, name)) continue;
      for (const [key, value] of block.values) if (!values.has(key)) values.set(key, value);
    }
    const jump = ['proxyjump', 'proxycommand'].find((key) => (values.get(key) ?? 'none').toLowerCase() !== 'none');
    if (jump !== undefined)
      problems.push({ line, reason: `${name} is reached by way of another host (${jump}), which Wardround cannot do` });
    entries.set(name, { line, alias: name, given: givenOf(name, values) });
    if (problems.length >= MOST_PROBLEMS) break;
  }
  return problems.length > 0 ? { problems } : { entries: [...entries.values()], notes: notUsed('Lines', unused) };
}

function givenOf(name: string, values: ReadonlyMap<string, string>): FleetEntry['given'] {
  const host = (values.get('hostname') ?? name).replaceAll('%h', name).replaceAll('%%', '%');
  const port = values.get('port');
  const user = values.get('user');
  const keyFile = values.get('identityfile');
  return { host, ...(port && { port }), ...(user && { user }), ...(keyFile && keyFile !== 'none' && { keyFile }) };
}

/** The sections in their order, what stands before the first of them as one for every host. */
function blocksOf(lines: readonly Line[]): { readonly blocks: readonly Block[]; readonly unused: string[] } {
  const blocks: Block[] = [];
  const unused = new Set<string>();
  const loose = new Map<string, string>();
  blocks.push({ line: 1, patterns: ['*'], values: loose });
  let line = 1;
  const count = (text: string): number => text.split('\n').length - 1;
  const pass = (node: Line, keep: (directive: Directive, at: number) => void): void => {
    line += count(node.before);
    const at = line;
    if (node.type === LineType.DIRECTIVE) {
      keep(node, at);
      line += count(node.param) + count(node.separator);
    }
    line += count(node.after);
  };
  const into = (values: Map<string, string>) => (directive: Directive) => {
    const name = directive.param.toLowerCase();
    if (name === 'include') unused.add('Include');
    if (!values.has(name)) values.set(name, valueOf(directive));
  };
  for (const node of lines) {
    if (!('config' in node)) {
      pass(node, into(loose));
      continue;
    }
    const isMatch = node.param.toLowerCase() !== 'host';
    if (isMatch) unused.add('Match');
    const values = new Map<string, string>();
    pass(node, (directive, at) => {
      if (!isMatch) blocks.push({ line: at, patterns: patternsOf(directive), values });
    });
    for (const inner of node.config) pass(inner, into(values));
  }
  return { blocks, unused: [...unused] };
}

const valueOf = ({ value }: Directive): string => (typeof value === 'string' ? value : (value[0]?.val ?? ''));
const patternsOf = ({ value }: Directive): string[] =>
  (typeof value === 'string' ? value.split(/[ \t]/) : value.map(({ val }) => val)).filter((one) => one !== '');

const isName = (pattern: string): boolean => !/[*?!]/.test(pattern);

/** Whether one of the patterns holds for the name, and none with a `!` in front. */
function holdsFor(patterns: readonly string[], name: string): boolean {
  const not = patterns.filter((one) => one.startsWith('!')).map((one) => one.slice(1));
  return patterns.some((one) => !one.startsWith('!') && fits(one, name)) && !not.some((one) => fits(one, name));
}

/** `*` stands for any text, `?` for one letter; in steps that are pattern times name at most. */
function fits(pattern: string, name: string): boolean {
  let [at, place, star, mark] = [0, 0, -1, 0];
  while (place < name.length)
    if (at < pattern.length && (pattern[at] === '?' || pattern[at] === name[place]) && pattern[at] !== '*') {
      at++;
      place++;
    } else if (pattern[at] === '*') {
      star = at++;
      mark = place;
    } else if (star >= 0) {
      at = star + 1;
      place = ++mark;
    } else return false;
  while (pattern[at] === '*') at++;
  return at === pattern.length;
}

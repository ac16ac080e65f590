import { Composer, isAlias, isMap, isScalar, isSeq, LineCounter, Parser, Scalar, type CST, type Node } from 'yaml';
import { MOST_PROBLEMS, type FileProblem } from './fleet-entry.ts';

/** What a YAML or JSON file says, with the line of each thing. Every value is a text as it was written. */
export type Tree = { readonly line: number } & (
  | { readonly kind: 'text'; readonly text: string }
  /** Nothing, `null` or `~`. */
  | { readonly kind: 'none' }
  /** Something that only another program can read, such as `!vault`. */
  | { readonly kind: 'tagged'; readonly tag: string }
  | { readonly kind: 'list'; readonly items: readonly Tree[] }
  | { readonly kind: 'map'; readonly entries: ReadonlyMap<string, Tree> }
);

const DEEPEST = 32;
const MOST_NODES = 400_000;
const MOST_ALIASES = 1_000;
const LONGEST_KEY = 200;
const MOST_LETTERS = 3 * 1024 * 1024;
/** What JavaScript takes for more than a name. */
const NO_NAMES: readonly string[] = ['__proto__', 'constructor', 'prototype'];

class Refused extends Error {
  readonly line: number | null;
  constructor(line: number | null, reason: string) {
    super(reason);
    this.line = line;
  }
}

/** Reads one document of YAML 1.2, or of JSON, which it is a part of; never more than the limits above. */
export function readTree(text: string): { readonly tree: Tree } | { readonly problems: readonly FileProblem[] } {
  try {
    if (text.length > MOST_LETTERS)
      throw new Refused(null, `the file has ${text.length} letters; allowed: up to ${MOST_LETTERS}`);
    const deep = lineTooDeep(text);
    if (deep !== null) throw new Refused(deep, TOO_DEEP);
    const lines = new LineCounter();
    const lineAt = (offset: number): number => Math.max(1, lines.linePos(offset).line);
    const read = readDocument(isJson(text) ? text.replaceAll('\t', ' ') : text, lines.addNewLine);
    if ('faults' in read)
      return {
        problems: read.faults.slice(0, MOST_PROBLEMS).map(({ offset, reason }) => ({ line: lineAt(offset), reason })),
      };
    const walk: Walk = { lineAt, anchors: new Map(), nodes: 0, aliases: 0 };
    return { tree: treeOf(read.contents, walk, { depth: 0, line: 1 }) };
  } catch (error) {
    if (error instanceof Refused) return { problems: [{ line: error.line, reason: error.message }] };
    // The depth of the stack is the last of the limits.
    if (error instanceof RangeError) return { problems: [{ line: null, reason: TOO_DEEP }] };
    throw error;
  }
}

type Fault = { readonly offset: number; readonly reason: string };
class Enough extends Error {}

/**
 * What the one document of a text holds. Stops at the first faults: the parser goes on to the end of the text otherwise,
 * with an `Error` and its stack for each, and a text can have as many faults as letters.
 */
function readDocument(
  text: string,
  onNewLine: (offset: number) => void,
): { readonly contents: unknown } | { readonly faults: readonly Fault[] } {
  const faults: Fault[] = [];
  const note = (offset: number, message: string): void => {
    faults.push({ offset, reason: withoutStop(message) });
    if (faults.length >= MOST_PROBLEMS) throw new Enough();
  };
  // To compare each key with every one before takes long; `mapOf` does it faster.
  const composer = new Composer({ schema: 'failsafe', uniqueKeys: false });
  const onError = (
    at: number | readonly number[] | { offset: number },
    _: string,
    message: string,
    warning?: boolean,
  ) => {
    if (warning !== true) note(typeof at === 'number' ? at : 'offset' in at ? at.offset : (at[0] ?? 0), message);
  };
  Reflect.set(composer, 'onError', onError);
  try {
    const documents = [...composer.compose(withoutErrors(new Parser(onNewLine).parse(text), note), true, text.length)];
    const [document, second] = documents;
    for (const { pos, message } of document?.errors ?? []) note(pos[0], message);
    if (second) note(second.range[0], 'there is a second document; allowed: one in a file');
    return faults.length > 0 ? { faults } : { contents: document?.contents ?? null };
  } catch (error) {
    if (error instanceof Enough) return { faults };
    throw error;
  }
}

/** The tokens of a text; what is none is noted. */
function* withoutErrors(tokens: Iterable<CST.Token>, note: (offset: number, message: string) => void) {
  for (const token of tokens)
    if (token.type === 'error') note(token.offset, token.message);
    else yield token;
}

const TOO_DEEP = `this nests too deeply; allowed: ${DEEPEST} levels`;
const withoutStop = (message: string): string => message.slice(0, 200).replace(/\.$/, '');

function isJson(text: string): boolean {
  if (!/^\s*[[{]/.test(text)) return false;
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** Where brackets or dashes nest more deeply than any file of ours does, before a parser follows them; null: nowhere. */
function lineTooDeep(text: string): number | null {
  let depth = 0;
  for (const [index, line] of text.split('\n').entries()) {
    for (const sign of line)
      if (sign === '[' || sign === '{') depth++;
      else if ((sign === ']' || sign === '}') && depth > 0) depth--;
    const dashes = /^[-?: \t]*/.exec(line)?.[0] ?? '';
    if (depth > 2 * DEEPEST || dashes.replaceAll(/[-?:]{2,}/g, '').split(/[-?:]/).length > DEEPEST) return index + 1;
  }
  return null;
}

type Walk = {
  readonly lineAt: (offset: number) => number;
  readonly anchors: Map<string, Node>;
  nodes: number;
  aliases: number;
};
type Place = { readonly depth: number; readonly line: number };

function treeOf(node: unknown, walk: Walk, { depth, line: around }: Place): Tree {
  const offset = (node as Node | null)?.range?.[0];
  const line = offset === undefined ? around : walk.lineAt(offset);
  if (depth > DEEPEST) throw new Refused(line, TOO_DEEP);
  if (++walk.nodes > MOST_NODES) throw new Refused(line, `the file says more than ${MOST_NODES} things`);
  const below = { depth: depth + 1, line };
  if (isAlias(node)) {
    const meant = walk.anchors.get(node.source);
    if (!meant) throw new Refused(line, `*${node.source.slice(0, 40)} stands for nothing that was named before`);
    if (++walk.aliases > MOST_ALIASES) throw new Refused(line, `there are more than ${MOST_ALIASES} aliases`);
    return treeOf(meant, walk, below);
  }
  const { anchor, tag } = (node ?? {}) as { anchor?: string; tag?: string };
  if (tag !== undefined && !tag.startsWith('tag:yaml.org,2002:')) return { kind: 'tagged', tag, line };
  const tree = isMap(node)
    ? mapOf(node.items, walk, below)
    : isSeq(node)
      ? ({ kind: 'list', items: node.items.map((item) => treeOf(item, walk, below)) } as const)
      : textOf(node);
  // Once it is whole: a thing that holds itself has no end.
  if (anchor !== undefined) walk.anchors.set(anchor, node as Node);
  return { ...tree, line };
}

function mapOf(
  items: readonly { readonly key: unknown; readonly value: unknown }[],
  walk: Walk,
  place: Place,
): { readonly kind: 'map'; readonly entries: ReadonlyMap<string, Tree> } {
  const entries = new Map<string, Tree>();
  const merged: Tree[] = [];
  for (const { key, value } of items) {
    const named = treeOf(key, walk, place);
    const name = named.kind === 'text' ? named.text : '';
    if (name === '' || name.length > LONGEST_KEY) throw new Refused(named.line, 'a name is expected here');
    if (NO_NAMES.includes(name)) throw new Refused(named.line, `${name} is no name that is used here; leave it out`);
    if (entries.has(name))
      throw new Refused(named.line, `${JSON.stringify(name.slice(0, 40))} stands here a second time`);
    const tree = treeOf(value, walk, { ...place, line: named.line });
    if (name === '<<' && isScalar(key) && key.type === Scalar.PLAIN) merged.push(tree);
    else entries.set(name, tree);
  }
  for (const tree of merged.flatMap((one) => (one.kind === 'list' ? one.items : [one])))
    if (tree.kind === 'map') for (const [name, one] of tree.entries) if (!entries.has(name)) entries.set(name, one);
  return { kind: 'map', entries };
}

function textOf(node: unknown): { readonly kind: 'none' } | { readonly kind: 'text'; readonly text: string } {
  if (!isScalar(node)) return { kind: 'none' };
  const text = typeof node.value === 'string' ? node.value : '';
  const isNone = node.type === Scalar.PLAIN && ['', '~', 'null'].includes(text);
  return isNone ? { kind: 'none' } : { kind: 'text', text };
}

import { MOST_ENTRIES, MOST_PROBLEMS, tooMany, type FileProblem } from './fleet-entry.ts';
import { expandRange } from './host-range.ts';
import { settingsOf, type Inventory, type Setting } from './ansible-fleet.ts';
import type { Tree } from './tree.ts';

type Group = { settings: Map<string, Setting>; hosts: Set<string>; children: Set<string> };
type Section = { readonly group: Group; readonly kind: 'hosts' | 'vars' | 'children' };
type Reading = {
  readonly hosts: Map<string, { line: number; settings: Map<string, Setting> }>;
  readonly groups: Map<string, Group>;
};

const SECTION = /^\[([^\]:\s]{1,100})(?::(vars|children))?\]$/;

/** An inventory in Ansible's INI: hosts with variables behind them, `[group]`, `[group:vars]`, `[group:children]`. */
export function readIniInventory(text: string): Inventory | { readonly problems: readonly FileProblem[] } {
  const reading: Reading = { hosts: new Map(), groups: new Map() };
  const problems: FileProblem[] = [];
  let section: Section = { group: groupOf(reading, 'ungrouped'), kind: 'hosts' };
  for (const [index, whole] of text.split('\n').entries()) {
    const line = index + 1;
    const content = whole.trim();
    if (content === '' || content.startsWith('#') || content.startsWith(';')) continue;
    const next = sectionOf(content, reading);
    const reason = next === null ? readLine(content, line, section, reading) : null;
    if (next) section = next;
    if (reason !== null) problems.push({ line, reason });
    if (problems.length >= MOST_PROBLEMS) break;
    if (reading.hosts.size > MOST_ENTRIES) return { problems: [tooMany(`more than ${MOST_ENTRIES} hosts`)] };
  }
  return problems.length > 0 ? { problems } : reading;
}

function sectionOf(content: string, reading: Reading): Section | null {
  const [, name, kind = 'hosts'] = SECTION.exec(content) ?? [];
  return name === undefined ? null : { group: groupOf(reading, name), kind: kind as Section['kind'] };
}

/** What is wrong with the line; null where nothing is. */
function readLine(content: string, line: number, { group, kind }: Section, reading: Reading): string | null {
  if (kind === 'children') {
    const [child = ''] = content.split(/\s/, 1);
    group.children.add(child);
    groupOf(reading, child);
    return null;
  }
  if (kind === 'vars') {
    const at = content.indexOf('=');
    if (at < 1) return 'a variable is expected here, such as ansible_user=deploy';
    const text = content.slice(at + 1).trim();
    const pair = [content.slice(0, at).trim(), treeOf(unquoted(text), line)] as const;
    settingsOf([pair]).forEach((setting, name) => group.settings.set(name, setting));
    return null;
  }
  const words = wordsOf(content);
  if (words === null) return 'a quotation mark has no end here';
  const [pattern = '', ...variables] = words;
  const names = expandRange(pattern);
  if (typeof names === 'string') return names;
  const odd = variables.find((word) => word.indexOf('=') < 1);
  if (odd !== undefined)
    return `${JSON.stringify(odd.slice(0, 60))} is no variable; allowed: such as ansible_host=203.0.113.7`;
  const settings = settingsOf(
    variables.map((word) => [word.slice(0, word.indexOf('=')), treeOf(word.slice(word.indexOf('=') + 1), line)]),
  );
  for (const name of names) {
    const known = reading.hosts.get(name);
    group.hosts.add(name);
    if (known) settings.forEach((setting, one) => known.settings.set(one, setting));
    else reading.hosts.set(name, { line, settings: new Map(settings) });
  }
  return null;
}

const treeOf = (text: string, line: number): Tree => ({ kind: 'text', text, line });

const unquoted = (text: string): string =>
  text.length > 1 && (text.startsWith('"') || text.startsWith("'")) && text.endsWith(text.slice(0, 1))
    ? text.slice(1, -1)
    : text;

/** The words of a line as a shell parts them; a `#` after a blank begins a comment. Null where a quotation has no end. */
function wordsOf(content: string): string[] | null {
  const words: string[] = [];
  let word = '';
  let isWord = false;
  let quote = '';
  for (const sign of content)
    if (quote !== '') {
      if (sign === quote) quote = '';
      else word += sign;
    } else if (sign === '"' || sign === "'") {
      quote = sign;
      isWord = true;
    } else if (sign === ' ' || sign === '\t') {
      if (isWord) words.push(word);
      word = '';
      isWord = false;
    } else if (sign === '#' && !isWord) break;
    else {
      word += sign;
      isWord = true;
    }
  if (quote !== '') return null;
  return isWord ? [...words, word] : words;
}

function groupOf({ groups }: Reading, name: string): Group {
  const group = groups.get(name) ?? { settings: new Map(), hosts: new Set(), children: new Set() };
  groups.set(name, group);
  return group;
}

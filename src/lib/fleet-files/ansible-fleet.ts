import {
  formulaProblem,
  MOST_ENTRIES,
  MOST_PROBLEMS,
  tooMany,
  type EntryField,
  type FileProblem,
  type FleetEntry,
  type FleetFile,
} from './fleet-entry.ts';
import { MOST_LABELS, parseLabel } from '../facts/label.ts';
import { readTree, type Tree } from './tree.ts';
import { labelsOf } from './json-fleet.ts';

/** Something that a variable was set to, and where. */
export type Setting = { readonly value: Tree; readonly file?: string };
export type Settings = ReadonlyMap<string, Setting>;

/** An inventory as it was read, INI or YAML. */
export type Inventory = {
  readonly hosts: ReadonlyMap<string, { readonly line: number; readonly settings: Settings }>;
  readonly groups: ReadonlyMap<
    string,
    { readonly settings: Settings; readonly hosts: ReadonlySet<string>; readonly children: ReadonlySet<string> }
  >;
};

/** A file of `host_vars` or `group_vars`, as it was read. */
export type VarsFile = {
  readonly kind: 'host' | 'group';
  readonly name: string;
  readonly file: string;
  readonly text: string;
};

const MOST_GROUPS = 2_000;
const DEEPEST = 20;
/** Of whatever kind of inventory, the names under which Ansible knows it; the first that is set counts. */
const NAMES: Readonly<Record<EntryField, readonly string[]>> = {
  host: ['ansible_host', 'ansible_ssh_host'],
  port: ['ansible_port', 'ansible_ssh_port'],
  user: ['ansible_user', 'ansible_ssh_user'],
  keyFile: ['ansible_ssh_private_key_file', 'ansible_private_key_file'],
  customer: ['wardround_customer'],
  name: ['wardround_name'],
  service: ['wardround_service'],
  hostKey: ['wardround_host_key'],
  labels: ['wardround_labels'],
  note: ['wardround_note'],
};
const FIELDS = Object.entries(NAMES) as [EntryField, readonly string[]][];
const WANTED = new Set([
  ...FIELDS.flatMap(([, names]) => names),
  'ansible_connection',
  'ansible_ssh_common_args',
  'ansible_ssh_extra_args',
]);

/** Variables as far as they are of use here. */
export const settingsOf = (entries: Iterable<readonly [string, Tree]>, file?: string): Map<string, Setting> =>
  new Map(
    [...entries]
      .filter(([name]) => WANTED.has(name))
      .map(([name, value]) => [name, { value, ...(file !== undefined && { file }) }]),
  );

/**
 * The hosts of an inventory with what is said of each, in Ansible's order: groups from the outermost inwards, `group_vars`
 * over the inventory's own, then the host's own, then `host_vars`. Groups become labels.
 */
export function fleetOf(inventory: Inventory, files: readonly VarsFile[]): FleetFile {
  const { hosts, groups } = inventory;
  if (hosts.size === 0) return { problems: [{ line: null, reason: 'the inventory names no host' }] };
  if (hosts.size > MOST_ENTRIES) return { problems: [tooMany(`${hosts.size} hosts`)] };
  if (groups.size > MOST_GROUPS)
    return {
      problems: [{ line: null, reason: `the inventory has ${groups.size} groups; allowed: up to ${MOST_GROUPS}` }],
    };
  const extra = readFiles(files);
  if ('problems' in extra) return extra;
  const parents = parentsOf(inventory);
  const memo = new Map<string, ReadonlyMap<string, number>>();
  const problems: FileProblem[] = [];
  const notes: string[] = [];
  const entries: FleetEntry[] = [];
  for (const [alias, { line, settings }] of hosts) {
    const direct = [...(parents.ofHost.get(alias) ?? [])];
    const merged = new Map<string, Setting>();
    const add = (more: Settings | undefined): void => more?.forEach((setting, name) => merged.set(name, setting));
    for (const group of inOrder(direct, parents.ofGroup, memo)) {
      add(groups.get(group)?.settings);
      add(extra.groups.get(group));
    }
    add(settings);
    add(extra.hosts.get(alias));
    const read = entryOf({ alias, line }, merged, direct);
    problems.push(...read.problems);
    notes.push(...read.notes);
    if (read.entry) entries.push(read.entry);
    if (problems.length >= MOST_PROBLEMS) break;
  }
  return problems.length > 0 ? { problems } : { entries, notes: notes.slice(0, 10) };
}

function readFiles(
  files: readonly VarsFile[],
):
  | { readonly hosts: Map<string, Settings>; readonly groups: Map<string, Settings> }
  | { readonly problems: readonly FileProblem[] } {
  const read = { hosts: new Map<string, Settings>(), groups: new Map<string, Settings>() };
  for (const { kind, name, file, text } of files) {
    const found = text.trim() === '' ? null : readTree(text);
    if (found === null) continue;
    if ('problems' in found) return { problems: found.problems.map((problem) => ({ ...problem, file })) };
    if (found.tree.kind === 'none') continue;
    if (found.tree.kind !== 'map')
      return { problems: [{ file, line: found.tree.line, reason: 'variables and their values are expected here' }] };
    const into = kind === 'host' ? read.hosts : read.groups;
    into.set(name, new Map([...(into.get(name) ?? []), ...settingsOf(found.tree.entries, file)]));
  }
  return read;
}

type Parents = { readonly ofHost: Map<string, Set<string>>; readonly ofGroup: Map<string, Set<string>> };

function parentsOf({ groups }: Inventory): Parents {
  const parents: Parents = { ofHost: new Map(), ofGroup: new Map() };
  const note = (into: Map<string, Set<string>>, child: string, parent: string): void => {
    const known = into.get(child);
    if (known) known.add(parent);
    else into.set(child, new Set([parent]));
  };
  for (const [name, { hosts, children }] of groups) {
    for (const host of hosts) note(parents.ofHost, host, name);
    for (const child of children) note(parents.ofGroup, child, name);
  }
  return parents;
}

/** These groups and all around them, from the outermost inwards, by name where that is equal; `all` is around every one. */
function inOrder(
  direct: readonly string[],
  ofGroup: Parents['ofGroup'],
  memo: Map<string, ReadonlyMap<string, number>>,
): string[] {
  const distances = new Map<string, number>();
  for (const group of direct)
    for (const [name, distance] of around(group, ofGroup, memo))
      distances.set(name, Math.max(distance, distances.get(name) ?? 0));
  distances.set('all', Infinity);
  return [...distances].toSorted(([a, far], [b, farther]) => farther - far || (a < b ? -1 : 1)).map(([name]) => name);
}

/** The groups around one, itself among them, and how far out each is. */
function around(
  group: string,
  ofGroup: Parents['ofGroup'],
  memo: Map<string, ReadonlyMap<string, number>>,
): ReadonlyMap<string, number> {
  const known = memo.get(group);
  if (known) return known;
  const found = new Map([[group, 0]]);
  let ring = [group];
  for (let distance = 1; ring.length > 0 && distance <= DEEPEST; distance++) {
    ring = [...new Set(ring.flatMap((name) => [...(ofGroup.get(name) ?? [])]))].filter((name) => !found.has(name));
    for (const name of ring) found.set(name, distance);
  }
  memo.set(group, found);
  return found;
}

type Host = { readonly alias: string; readonly line: number };
type Read = { readonly entry: FleetEntry | null; readonly problems: FileProblem[]; readonly notes: string[] };

function entryOf({ alias, line }: Host, settings: Settings, groups: readonly string[]): Read {
  const given: { [field in EntryField]?: string } = { host: alias };
  const read: { entry: FleetEntry | null; problems: FileProblem[]; notes: string[] } = {
    entry: null,
    problems: [],
    notes: [],
  };
  const text = (name: string): string => {
    const value = settings.get(name)?.value;
    return value?.kind === 'text' ? value.text : '';
  };
  if (text('ansible_connection') === 'local')
    return { ...read, notes: [`${alias} is this machine itself (ansible_connection is local) and is left out.`] };
  if (/proxy(?:jump|command)|(?:^|\s)-J/i.test(`${text('ansible_ssh_common_args')} ${text('ansible_ssh_extra_args')}`))
    read.problems.push({ line, reason: `${alias} is reached by way of another host, which Wardround cannot do` });
  for (const [field, names] of FIELDS) {
    const name = names.find((one) => settings.has(one));
    const setting = name === undefined ? undefined : settings.get(name);
    if (name === undefined || setting === undefined || setting.value.kind === 'none') continue;
    const value = valueOf(field, name, setting);
    if (typeof value === 'string') given[field] = value;
    else read.problems.push(value);
  }
  const labels = groups
    .filter((group) => !['all', 'ungrouped'].includes(group) && parseLabel(group) !== null)
    .toSorted();
  if (labels.length > MOST_LABELS / 2)
    read.notes.push(`${alias} is in ${labels.length} groups; the first ${MOST_LABELS / 2} become labels.`);
  const all = [given.labels ?? '', ...labels.slice(0, MOST_LABELS / 2)].filter((one) => one !== '').join(', ');
  if (all !== '') given.labels = all;
  return { ...read, entry: { line, alias, given } };
}

function valueOf(field: EntryField, name: string, { value, file }: Setting): string | FileProblem {
  const { line } = value;
  const at = { line, ...(file !== undefined && { file }) };
  if (value.kind === 'tagged')
    return {
      ...at,
      reason: `${name} is ${value.tag.slice(0, 40)}, which only Ansible can read; give it in plain text`,
    };
  const text = field === 'labels' ? labelsOf(value) : value.kind === 'text' ? value.text.trim() : null;
  if (text === null) return { ...at, reason: `${name} is no text; allowed: a text or a number` };
  if (/\{\{|\{%/.test(text))
    return {
      ...at,
      reason: `${name} is a template (${JSON.stringify(text.slice(0, 60))}), which only Ansible can fill in`,
    };
  const problem = formulaProblem(line, name, text);
  return problem ? { ...problem, ...at } : text;
}

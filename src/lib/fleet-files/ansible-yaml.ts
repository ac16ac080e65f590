import type { FileProblem } from './fleet-entry.ts';
import { expandRange } from './host-range.ts';
import { readTree, type Tree } from './tree.ts';
import { settingsOf, type Inventory, type Setting } from './ansible-fleet.ts';

type Group = { settings: Map<string, Setting>; hosts: Set<string>; children: Set<string> };
type Host = { line: number; settings: Map<string, Setting> };
type Reading = {
  readonly hosts: Map<string, Host>;
  readonly groups: Map<string, Group>;
  readonly problems: FileProblem[];
};

/** An inventory in YAML: groups, each with `hosts`, `vars` and `children`. */
export function readYamlInventory(text: string): Inventory | { readonly problems: readonly FileProblem[] } {
  const read = readTree(text);
  if ('problems' in read) return read;
  if (read.tree.kind !== 'map')
    return {
      problems: [{ line: read.tree.line, reason: 'groups of hosts are expected, such as "all:" with "hosts:" below' }],
    };
  const reading: Reading = { hosts: new Map(), groups: new Map(), problems: [] };
  readGroups(read.tree, null, reading);
  const { hosts, groups, problems } = reading;
  return problems.length > 0 ? { problems } : { hosts, groups };
}

function readGroups(tree: Tree & { kind: 'map' }, parent: string | null, reading: Reading): void {
  for (const [name, value] of tree.entries) {
    if (parent !== null) groupOf(reading, parent).children.add(name);
    readGroup(name, value, reading);
  }
}

function readGroup(name: string, tree: Tree, reading: Reading): void {
  const group = groupOf(reading, name);
  if (tree.kind === 'none') return;
  if (tree.kind !== 'map') {
    reading.problems.push({
      line: tree.line,
      reason: `the group ${JSON.stringify(name.slice(0, 40))} is no map of hosts, vars and children`,
    });
    return;
  }
  for (const [key, value] of tree.entries) {
    if (value.kind === 'none') continue;
    if (value.kind !== 'map') {
      reading.problems.push({
        line: value.line,
        reason: `${key.slice(0, 40)} of ${name.slice(0, 40)} is no map of names and values`,
      });
      continue;
    }
    if (key === 'hosts') readHosts(value, group, reading);
    else if (key === 'vars') settingsOf(value.entries).forEach((setting, one) => group.settings.set(one, setting));
    else if (key === 'children') readGroups(value, name, reading);
  }
}

function readHosts(tree: Tree & { kind: 'map' }, group: Group, reading: Reading): void {
  for (const [pattern, value] of tree.entries) {
    const names = expandRange(pattern);
    if (typeof names === 'string') {
      reading.problems.push({ line: value.line, reason: names });
      continue;
    }
    const settings = settingsOf(value.kind === 'map' ? value.entries : []);
    for (const name of names) {
      const known = reading.hosts.get(name);
      group.hosts.add(name);
      if (known) settings.forEach((setting, one) => known.settings.set(one, setting));
      else reading.hosts.set(name, { line: value.line, settings: new Map(settings) });
    }
  }
}

function groupOf({ groups }: Reading, name: string): Group {
  const group = groups.get(name) ?? { settings: new Map(), hosts: new Set(), children: new Set() };
  groups.set(name, group);
  return group;
}

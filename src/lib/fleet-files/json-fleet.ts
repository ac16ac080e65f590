import {
  ALLOWED_FIELDS,
  fieldNamed,
  formulaProblem,
  labelText,
  MOST_ENTRIES,
  MOST_PROBLEMS,
  notUsed,
  tooMany,
  type EntryField,
  type FileProblem,
  type FleetEntry,
  type FleetFile,
} from './fleet-entry.ts';
import { readTree, type Tree } from './tree.ts';

/** A list of objects, or an object with such a list under `vps`, in JSON or YAML. */
export function readList(text: string): FleetFile {
  const read = readTree(text);
  if ('problems' in read) return read;
  const { tree } = read;
  const list = tree.kind === 'map' ? (tree.entries.get('vps') ?? tree.entries.get('hosts')) : tree;
  if (list?.kind !== 'list')
    return { problems: [{ line: tree.line, reason: 'a list of VPSs is expected, such as [{"host": "…"}]' }] };
  if (list.items.length > MOST_ENTRIES) return { problems: [tooMany(`${list.items.length} VPSs`)] };
  const problems: FileProblem[] = [];
  const entries: FleetEntry[] = [];
  const unused = new Set<string>();
  for (const item of list.items) {
    const entry = entryOf(item);
    problems.push(...entry.problems);
    for (const name of entry.unused) unused.add(name);
    entries.push(entry.entry);
    if (problems.length >= MOST_PROBLEMS) break;
  }
  return problems.length > 0 ? { problems } : { entries, notes: notUsed('Names', [...unused]) };
}

type Read = {
  readonly entry: FleetEntry;
  readonly problems: readonly FileProblem[];
  readonly unused: readonly string[];
};

function entryOf(item: Tree): Read {
  const { line } = item;
  const given: { [field in EntryField]?: string } = {};
  const problems: FileProblem[] = [];
  const unused: string[] = [];
  const labels: string[] = [];
  if (item.kind !== 'map') {
    const reason = `a VPS is an object with names and values; allowed names: ${ALLOWED_FIELDS}`;
    return { entry: { line, alias: '', given }, problems: [{ line, reason }], unused };
  }
  for (const [name, value] of item.entries) {
    const field = fieldNamed(name);
    if (field === null) {
      unused.push(name);
      continue;
    }
    const text = field === 'labels' ? labelsOf(value) : value.kind === 'none' ? '' : plainText(value);
    const problem = text === null ? valueProblem(name, value) : formulaProblem(value.line, name, text);
    if (problem) problems.push(problem);
    else if (text === null || text === '') continue;
    else if (typeof field === 'object') labels.push(labelText(field.label, text));
    else if (field === 'labels') labels.push(text);
    else if (given[field] === undefined) given[field] = text;
    else problems.push({ line: value.line, reason: `${field} is given twice, once as ${JSON.stringify(name)}` });
  }
  if (labels.length > 0) given.labels = labels.join(', ');
  return { entry: { line, alias: given.name ?? given.host ?? '', given }, problems, unused };
}

const plainText = (value: Tree): string | null => (value.kind === 'text' ? value.text.trim() : null);

const valueProblem = (name: string, { line, kind }: Tree): FileProblem => ({
  line,
  reason: `${name} is ${kind === 'list' ? 'a list' : kind === 'map' ? 'an object' : 'no text'}; allowed: a text or a number`,
});

/** Labels as a text, a list, or an object (`{ "provider": "hetzner" }`); null where it is none of them. */
export function labelsOf(value: Tree): string | null {
  switch (value.kind) {
    case 'none':
      return '';
    case 'text':
      return value.text.trim();
    case 'tagged':
      return null;
    case 'list': {
      const texts = value.items.map(plainText);
      return texts.includes(null) ? null : texts.join(', ');
    }
    case 'map': {
      const texts = [...value.entries].map(([name, one]) => {
        const text = one.kind === 'none' ? '' : plainText(one);
        return text === null ? null : labelText(name, text);
      });
      return texts.includes(null) ? null : texts.join(', ');
    }
  }
}

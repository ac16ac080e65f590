/** What a file may say of a VPS; all of it as it was written. */
export const ENTRY_FIELDS = [
  'customer',
  'name',
  'host',
  'port',
  'user',
  'service',
  'keyFile',
  'hostKey',
  'labels',
  'note',
] as const;
export type EntryField = (typeof ENTRY_FIELDS)[number];

/** A VPS as a file describes it. */
export type FleetEntry = {
  /** Where it stands, from 1. */
  readonly line: number;
  /** What the file calls it; empty where it has no name there. */
  readonly alias: string;
  readonly given: { readonly [field in EntryField]?: string };
};

/** What is wrong with a file, or with a line of it: a sentence without its full stop. */
export type FileProblem = { readonly file?: string; readonly line: number | null; readonly reason: string };

/** What a file says of a fleet, or everything that is wrong with it (the first of it, where it is much). */
export type FleetFile =
  | {
      readonly entries: readonly FleetEntry[];
      /** What was in the file and is not used, in whole sentences. */
      readonly notes: readonly string[];
    }
  | { readonly problems: readonly FileProblem[] };

export const MOST_ENTRIES = 10_000;
/** More of them are no help to whoever has to mend the file. */
export const MOST_PROBLEMS = 50;

export const tooMany = (found: string): FileProblem => ({
  line: null,
  reason: `the file has ${found}; allowed: up to ${MOST_ENTRIES} VPSs at a time`,
});

/** A cell or a value that a spreadsheet would run: none of ours begins like that. */
const FORMULA = /^[=+@\t-]/;

export const formulaProblem = (line: number, name: string, text: string): FileProblem | null =>
  FORMULA.test(text)
    ? {
        line,
        reason: `${name} begins with ${JSON.stringify(text.slice(0, 1))}, as a formula of a spreadsheet does; give the value itself`,
      }
    : null;

const NAMES: Readonly<Record<string, EntryField>> = {
  customer: 'customer',
  customeremail: 'customer',
  email: 'customer',
  mail: 'customer',
  name: 'name',
  customername: 'name',
  host: 'host',
  hostname: 'host',
  ip: 'host',
  ipaddress: 'host',
  address: 'host',
  port: 'port',
  sshport: 'port',
  user: 'user',
  username: 'user',
  login: 'user',
  sshuser: 'user',
  service: 'service',
  unit: 'service',
  key: 'keyFile',
  keyfile: 'keyFile',
  identityfile: 'keyFile',
  sshkey: 'keyFile',
  hostkey: 'hostKey',
  label: 'labels',
  labels: 'labels',
  tags: 'labels',
  note: 'note',
  notes: 'note',
  comment: 'note',
};

/** Which field is meant by the title of a column or the name of a key; `label:provider` is one label. */
export function fieldNamed(title: string): EntryField | { readonly label: string } | null {
  const [, label] = /^\s*labels?\s*[:.]\s*(\S{1,63})\s*$/i.exec(title) ?? [];
  if (label !== undefined) return { label };
  const name = title.toLowerCase().replaceAll(/[\s_-]/g, '');
  return Object.hasOwn(NAMES, name) ? (NAMES[name] ?? null) : null;
}

export const ALLOWED_FIELDS =
  'customer, name, host, port, user, service, key_file, host_key, labels, note, or label:NAME for one label';

/** `region` and `fsn1` as one of a list of labels. */
export const labelText = (name: string, value: string): string => (value === '' ? name : `${name}=${value}`);

/** `1 name`, `2 names`. */
export const notUsed = (what: string, names: readonly string[]): string[] =>
  names.length === 0
    ? []
    : [
        `${what} not used: ${names
          .slice(0, 10)
          .map((name) => JSON.stringify(name.slice(0, 40)))
          .join(', ')}${names.length > 10 ? `, and ${names.length - 10} more` : ''}.`,
      ];

import type * as z from 'zod/mini';
import type { PlannedWindow } from '../facts/fleet-change.ts';
import { hasLabel, type Label, type LabelFilter } from '../facts/label.ts';
import type { ChannelName } from '../facts/message.ts';
import { parseInstant } from '../facts/wall-clock.ts';
import { MOST_ENTRIES, MOST_PROBLEMS, type FileProblem } from '../fleet-files/fleet-entry.ts';
import { labelsOf } from '../fleet-files/json-fleet.ts';
import { readTree, type Tree } from '../fleet-files/tree.ts';
import { parse } from '../parsing/parse.ts';
import { inTerminal } from '../parsing/problems.ts';
import { Customer, Defaults, FLEET_FILE_VERSION, LabelWindow, Route, SECTIONS, Vps, Window } from './fleet-document.ts';
import { parseMaintenance } from './maintenance-request.ts';

/** A VPS as the file says it is to be. */
export type WantedVps = {
  readonly line: number;
  readonly email: string;
  /** Null: the file says nothing. */
  readonly name: string | null;
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly service: string | null;
  /** The path of its key, `SHARED_KEY` or `GENERATED_KEY`; null: the one that is stored. */
  readonly keyFile: string | null;
  /** Null: the one that is pinned. */
  readonly hostKey: string | null;
  readonly labels: readonly Label[];
  /** Null: the file says nothing. */
  readonly note: string | null;
  readonly windows: readonly PlannedWindow[];
};
export type WantedRoute = {
  readonly line: number;
  readonly email: string;
  readonly channel: ChannelName;
  readonly enabled: boolean;
  /** `all`, or kinds with commas between them. */
  readonly kinds: string;
  /** Empty: the channel's own. */
  readonly address: string;
};
export type WantedFleet = {
  readonly customers: readonly { readonly line: number; readonly email: string; readonly name: string | null }[];
  readonly vps: readonly WantedVps[];
  /** Null: the file says nothing of them. */
  readonly routes: readonly WantedRoute[] | null;
};

type Mapped = Tree & { kind: 'map' };

/** Collects what is wrong, up to where it is enough. */
class Faults {
  readonly found: FileProblem[] = [];
  add(line: number, reason: string): null {
    this.found.push({ line, reason });
    return null;
  }
  get isEnough(): boolean {
    return this.found.length >= MOST_PROBLEMS;
  }
}

/** Reads a fleet file, YAML or JSON, whole; or says of each line what is wrong with it. */
export function readFleetDocument(
  text: string,
  now: Date,
): { readonly fleet: WantedFleet } | { readonly problems: readonly FileProblem[] } {
  const read = readTree(text);
  if ('problems' in read) return read;
  const faults = new Faults();
  const root = read.tree.kind === 'map' ? read.tree : null;
  if (root === null || !isVersionKnown(root, faults)) {
    if (root === null)
      faults.add(read.tree.line, 'a fleet file begins with "version: 1"; "wardround export" writes one');
    return { problems: faults.found };
  }
  const fleet = readSections(root, now, faults);
  return faults.found.length > 0 ? { problems: faults.found.slice(0, MOST_PROBLEMS) } : { fleet };
}

function isVersionKnown({ entries, line }: Mapped, faults: Faults): boolean {
  const version = entries.get('version');
  if (version?.kind === 'text' && version.text === FLEET_FILE_VERSION) return true;
  faults.add(
    version?.line ?? line,
    `the version of a fleet file is ${FLEET_FILE_VERSION}: write "version: ${FLEET_FILE_VERSION}"`,
  );
  return false;
}

function readSections(root: Mapped, now: Date, faults: Faults): WantedFleet {
  const allowed = ['version', 'defaults', ...Object.keys(SECTIONS)];
  for (const [name, { line }] of root.entries)
    if (!allowed.includes(name))
      faults.add(
        line,
        `${JSON.stringify(name.slice(0, 40))} is no part of a fleet file; allowed: ${allowed.join(', ')}`,
      );
  const at = root.entries.get('defaults');
  const defaults = at && at.kind !== 'none' ? readObject(at, Defaults, faults) : {};
  const customers = itemsOf(root, 'customers', faults).flatMap((item) => {
    const value = readObject(item, Customer, faults);
    return value ? [{ line: item.line, email: value.email, name: value.name ?? null }] : [];
  });
  const byLabel = itemsOf(root, 'maintenance', faults).flatMap((item) => {
    const value = readObject(item, LabelWindow, faults);
    const window = value && windowOf(value, item.line, now, faults);
    return value && window ? [{ label: value.label, window }] : [];
  });
  const vps = itemsOf(root, 'vps', faults).flatMap(
    (item) => readVps(item, { defaults: defaults ?? {}, byLabel, now, faults }) ?? [],
  );
  const routes = itemsOf(root, 'notifications', faults).flatMap((item) => {
    const value = readObject(item, Route, faults);
    if (!value) return [];
    const { user: email, channel, enabled = 'true', kinds = 'all', address = '' } = value;
    return [
      {
        line: item.line,
        email,
        channel,
        enabled: enabled === 'true',
        kinds: kinds
          .split(',')
          .map((kind) => kind.trim())
          .toSorted()
          .join(', '),
        address: address.trim(),
      },
    ];
  });
  unique(customers, ({ email }) => `the customer ${email}`, faults);
  unique(vps, ({ email }) => `the customer ${email}`, faults);
  unique(vps, ({ host, port }) => `the address ${host} port ${port}`, faults);
  unique(routes, ({ email, channel }) => `${channel} of ${email}`, faults);
  return { customers, vps, routes: root.entries.has('notifications') ? routes : null };
}

function unique<Item extends { readonly line: number }>(
  items: readonly Item[],
  nameOf: (item: Item) => string,
  faults: Faults,
): void {
  const seen = new Map<string, number>();
  for (const item of items) {
    const name = nameOf(item);
    const before = seen.get(name);
    if (before === undefined) seen.set(name, item.line);
    else faults.add(item.line, `${name} stands in line ${before} already`);
  }
}

function itemsOf({ entries }: Mapped, section: string, faults: Faults): readonly Tree[] {
  const tree = entries.get(section);
  if (!tree || tree.kind === 'none') return [];
  if (tree.kind !== 'list') {
    faults.add(tree.line, `${section} is a list`);
    return [];
  }
  if (tree.items.length <= MOST_ENTRIES) return tree.items;
  faults.add(tree.line, `${section} has ${tree.items.length} entries; allowed: up to ${MOST_ENTRIES}`);
  return [];
}

type Around = {
  readonly defaults: z.output<typeof Defaults>;
  readonly byLabel: readonly { readonly label: LabelFilter; readonly window: PlannedWindow }[];
  readonly now: Date;
  readonly faults: Faults;
};

function readVps(item: Tree, { defaults, byLabel, now, faults }: Around): WantedVps | null {
  if (faults.isEnough) return null;
  const value = readObject(item, Vps, faults, ['maintenance']);
  const own = item.kind === 'map' ? itemsOf(item, 'maintenance', faults) : [];
  const windows = own.flatMap((one) => {
    const read = readObject(one, Window, faults);
    return (read && windowOf(read, one.line, now, faults)) ?? [];
  });
  if (!value) return null;
  const { labels = [] } = value;
  return {
    line: item.line,
    email: value.customer,
    name: value.name ?? null,
    host: value.host,
    port: value.port ?? defaults.port ?? 22,
    user: value.user ?? defaults.user ?? 'root',
    service: value.service ?? defaults.service ?? null,
    keyFile: value.key ?? defaults.key ?? null,
    hostKey: value.host_key ?? null,
    labels,
    note: value.note ?? null,
    windows: [...windows, ...byLabel.filter(({ label }) => hasLabel(labels, label)).map(({ window }) => window)],
  };
}

/** An object by its schema; names that are not in it are faults, but those that somebody else reads. */
function readObject<Schema extends z.ZodMiniObject>(
  tree: Tree,
  schema: Schema,
  faults: Faults,
  others: readonly string[] = [],
): z.output<Schema> | null {
  if (tree.kind !== 'map') return faults.add(tree.line, 'names and their values are expected here');
  const before = faults.found.length;
  const given: Record<string, string> = {};
  const allowed = Object.keys(schema.shape);
  for (const [name, value] of tree.entries) {
    if (others.includes(name) || value.kind === 'none') continue;
    if (!allowed.includes(name)) {
      faults.add(
        value.line,
        `${JSON.stringify(name.slice(0, 40))} has no meaning here; allowed: ${[...allowed, ...others].join(', ')}`,
      );
      continue;
    }
    const text = name === 'labels' || name === 'kinds' ? labelsOf(value) : value.kind === 'text' ? value.text : null;
    if (text === null) faults.add(value.line, `${name} is no text or number`);
    else given[name] = text;
  }
  if (faults.found.length > before) return null;
  const parsed = parse(schema, given);
  if ('value' in parsed) return parsed.value;
  for (const problem of parsed.problems)
    for (const reason of inTerminal([problem])) faults.add(tree.entries.get(problem.field)?.line ?? tree.line, reason);
  return null;
}

/** The window that is meant; null where it is over, or is none, which is a fault. */
function windowOf(
  { weekly, from, until, for: length, time_zone: timeZone = 'UTC', reason: given }: z.output<typeof Window>,
  line: number,
  now: Date,
  faults: Faults,
): PlannedWindow | null {
  const reason = given ?? null;
  if ((weekly === undefined) === (from === undefined))
    return faults.add(line, 'a window has either "weekly", or "from"');
  const request = { timeZone, ...(length !== undefined && { for: length }) };
  if (weekly !== undefined) {
    if (until !== undefined) return faults.add(line, 'a weekly window has a length ("for") and no "until"');
    const parsed = parseMaintenance({ ...request, weekly }, now);
    if ('problems' in parsed) return faults.add(line, inTerminal(parsed.problems).join('; '));
    const { weekday, startMinute, durationMinutes } = parsed.window;
    return {
      kind: 'weekly',
      weekday: weekday ?? 0,
      startMinute: startMinute ?? 0,
      durationMinutes: durationMinutes ?? 0,
      timeZone,
      reason,
    };
  }
  const startsAt = parseInstant(from ?? '', timeZone);
  if (startsAt === null)
    return faults.add(line, `from is ${JSON.stringify(from)}; allowed: a time such as 2026-12-24T03:30Z`);
  if ((until === undefined) === (length === undefined))
    return faults.add(line, 'a window that begins once has one end: "until" or "for"');
  const parsed = length === undefined ? null : parseMaintenance({ for: length }, startsAt);
  if (parsed && 'problems' in parsed) return faults.add(line, inTerminal(parsed.problems).join('; '));
  const endsAt = parsed ? parsed.window.endsAt : parseInstant(until ?? '', timeZone);
  if (endsAt === null || endsAt <= startsAt)
    return faults.add(line, `until is ${JSON.stringify(until)}; allowed: a time after "from"`);
  return endsAt <= now ? null : { kind: 'once', startsAt, endsAt, reason };
}

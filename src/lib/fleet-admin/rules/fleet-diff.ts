import { windowKey, type FieldChange, type FleetChange, type FleetPlan } from '../../facts/fleet-change.ts';
import { inOrder, labelInWords, labelsInWords, type Label } from '../../facts/label.ts';
import type { FleetState, StateRoute, StateVps } from '../fleet-state.ts';
import type { WantedFleet, WantedRoute, WantedVps } from '../read-document.ts';

export type DiffOptions = {
  /** Also what is in the fleet and not in the file goes. */
  readonly prune: boolean;
  /** The customers whose VPS has another key than the file says. */
  readonly otherKey: ReadonlySet<string>;
};

/** What has to be done to make the fleet what the file says; nothing that is right already. */
export function diffFleet(state: FleetState, wanted: WantedFleet, { prune, otherKey }: DiffOptions): FleetPlan {
  const own = new Map(state.vps.map((vps) => [vps.email, vps]));
  const named = new Set(wanted.vps.map(({ email }) => email));
  const changes: FleetChange[] = [];
  const extra: FleetChange[] = state.vps
    .filter(({ email }) => !named.has(email))
    .map(({ email, host }) => ({ kind: 'remove_vps', email, host }));
  // First, so that an address is free for whoever gets it.
  if (prune) changes.push(...extra);
  for (const { email, name } of wanted.customers) {
    const user = state.users.get(email);
    if (!user) changes.push({ kind: 'add_customer', email, name });
    else if (name !== null && name !== user.name)
      changes.push({ kind: 'rename_customer', email, fields: [{ field: 'name', from: user.name, to: name }] });
  }
  const kept: FleetChange[] = prune ? [] : [...extra];
  for (const vps of wanted.vps) {
    const now = own.get(vps.email);
    const { more, less } = now ? diffVps(now, vps, prune, otherKey.has(vps.email)) : { more: addition(vps), less: [] };
    changes.push(...more);
    if (prune) changes.push(...less);
    else kept.push(...less);
  }
  const routes = diffRoutes(state.routes, wanted.routes);
  changes.push(...routes.more);
  (prune ? changes : kept).push(...routes.less);
  return { changes, kept };
}

type Difference = { readonly more: readonly FleetChange[]; readonly less: readonly FleetChange[] };

const fieldsOf = (
  from: Readonly<Record<string, string | null>>,
  to: Readonly<Record<string, string | null>>,
): FieldChange[] =>
  Object.keys(to)
    .map((field) => ({ field, from: from[field] ?? null, to: to[field] ?? null }))
    .filter((one) => one.from !== one.to);

const fieldsOfVps = ({ host, port, user, service }: WantedVps | StateVps): Record<string, string | null> => ({
  host,
  port: String(port),
  user,
  service,
});

function addition(vps: WantedVps): FleetChange[] {
  const { email, host, name, labels, hostKey, note } = vps;
  const whole = { ...fieldsOfVps(vps), name, 'host key': hostKey, labels: labelsInWords(labels) || null, note };
  return [
    { kind: 'add_vps', email, host, fields: fieldsOf({}, whole) },
    ...vps.windows.map((window) => ({ kind: 'add_window', email, host, window }) as const),
  ];
}

function diffVps(now: StateVps, vps: WantedVps, prune: boolean, isOtherKey: boolean): Difference {
  const { email, host } = vps;
  const goal = labelsAfter(now.labels, vps.labels, prune);
  const gone = now.labels.filter(({ name }) => !vps.labels.some((label) => label.name === name));
  const fields = [
    ...fieldsOf(
      {
        ...fieldsOfVps(now),
        name: now.name,
        note: now.note,
        'host key': now.hostKey,
        labels: labelsInWords(now.labels),
      },
      {
        ...fieldsOfVps(vps),
        name: vps.name ?? now.name,
        note: vps.note ?? now.note,
        'host key': vps.hostKey ?? (isSameMachine(now, vps) ? now.hostKey : null),
        labels: labelsInWords(goal),
      },
    ),
    ...(isOtherKey ? [{ field: 'key', from: null, to: vps.keyFile }] : []),
  ];
  const keys = new Set(now.windows.map(({ window }) => windowKey(window)));
  const wanted = new Set(vps.windows.map(windowKey));
  const unplanned = now.windows.filter(({ window, hasBegun }) => !hasBegun && !wanted.has(windowKey(window)));
  return {
    more: [
      ...(fields.length > 0 ? [{ kind: 'change_vps', email, host, fields } as const] : []),
      ...vps.windows
        .filter((window) => !keys.has(windowKey(window)))
        .map((window) => ({ kind: 'add_window', email, host, window }) as const),
    ],
    less: [
      ...(gone.length > 0 && !prune
        ? [{ kind: 'remove_labels', email, host, labels: gone.map(labelInWords) } as const]
        : []),
      ...unplanned.map(({ window }) => ({ kind: 'remove_window', email, host, window }) as const),
    ],
  };
}

const isSameMachine = (now: StateVps, vps: WantedVps): boolean => now.host === vps.host && now.port === vps.port;

/** With `prune` those of the file; else also those that it does not name. */
export const labelsAfter = (now: readonly Label[], wanted: readonly Label[], prune: boolean): Label[] =>
  prune
    ? inOrder(wanted)
    : inOrder([...now.filter(({ name }) => !wanted.some((label) => label.name === name)), ...wanted]);

function diffRoutes(now: readonly StateRoute[], wanted: readonly WantedRoute[] | null): Difference {
  if (wanted === null) return { more: [], less: [] };
  const keyOf = ({ email, channel }: StateRoute | WantedRoute): string => `${channel} ${email}`;
  const known = new Map(now.map((route) => [keyOf(route), route]));
  const named = new Set(wanted.map(keyOf));
  const texts = ({ enabled, kinds, address }: StateRoute | WantedRoute) => ({
    enabled: String(enabled),
    kinds,
    address: address || null,
  });
  return {
    more: wanted.flatMap((route) => {
      const before = known.get(keyOf(route));
      const fields = fieldsOf(before ? texts(before) : {}, texts(route));
      return fields.length > 0
        ? [{ kind: 'set_route', email: route.email, channel: route.channel, fields } as const]
        : [];
    }),
    less: now
      .filter((route) => !named.has(keyOf(route)))
      .map(({ email, channel }) => ({ kind: 'remove_route', email, channel }) as const),
  };
}

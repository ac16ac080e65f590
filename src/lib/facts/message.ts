/** What is told to whom. Customers hear of their own VPS, admins of what needs them. */
export const CUSTOMER_KINDS = ['down', 'up', 'recovered'] as const;
export const ADMIN_KINDS = [
  'circuit_opened',
  'circuit_closed',
  'circuit_reminder',
  'crash_loop',
  'kept_alive',
  'host_key_changed',
  'access_rejected',
  'configuration_fault',
  'monitor_fault_began',
  'monitor_fault_ended',
] as const;
export type NotificationKind = (typeof CUSTOMER_KINDS)[number] | (typeof ADMIN_KINDS)[number];

/** Every way to tell somebody something; `notifications/channels/registry.ts` has one for each name. */
export const CHANNEL_NAMES = ['email', 'telegram', 'webhook'] as const;
export type ChannelName = (typeof CHANNEL_NAMES)[number];

/** Something to tell. The same kind is told once an incident, unless `occurrence` tells two of them apart. */
export type Announcement = {
  readonly kind: NotificationKind;
  readonly audience: 'customer' | 'admin';
  readonly occurrence: string;
};

/** The machine a message is about. All text in facts is clean: no control characters, no secret. */
export type VpsFacts = {
  readonly id: string;
  readonly customer: string;
  readonly host: string;
  readonly port: number;
  readonly service: string;
};

/** An incident as it was when the message was written. Times are milliseconds since 1970. */
export type IncidentFacts = {
  readonly id: string;
  readonly openedAtMs: number;
  /** Null while it is open. */
  readonly endedAtMs: number | null;
  /** A `Cause` of the version that has written this: `parseCause` reads it. */
  readonly cause: string;
  readonly failedChecks: number;
  readonly restarts: number;
};

/** Why no sweep counts, nothing is healed, or nobody hears of it, until further notice. */
export type MonitorFault =
  | { readonly kind: 'outage'; readonly unreachable: number; readonly reachableBefore: number }
  | { readonly kind: 'healing_paused'; readonly stopped: number; readonly fleet: number }
  | {
      readonly kind: 'delivery';
      readonly channel: ChannelName;
      /** Whose target it is, by address; null: nothing gets through by this channel to anybody. */
      readonly target: string | null;
      readonly reason: string;
      readonly switchedOff: boolean;
    };

/** The facts of a message, kept in the outbox as JSON; the words are found when it is sent. */
export type MessageFacts =
  | {
      readonly about: 'vps';
      readonly atMs: number;
      readonly vps: VpsFacts;
      readonly incident: IncidentFacts | null;
      /** What the last check saw; for admins. */
      readonly error: string | null;
      /** What that is, as in `IncidentFacts`; null when all is well, missing where an older version has written this. */
      readonly cause?: string | null;
      /** When an open circuit has its trial restart. */
      readonly trialAtMs: number | null;
    }
  | { readonly about: 'fleet'; readonly atMs: number; readonly beganAtMs: number; readonly fault: MonitorFault }
  | { readonly about: 'digest'; readonly atMs: number; readonly items: readonly DigestItem[] };

export type DigestItem = {
  readonly kind: NotificationKind;
  readonly facts: Exclude<MessageFacts, { about: 'digest' }>;
};

/** What a look has found; of a streak only the first, or the first with another cause. */
export const LOOK_KINDS = ['check_failed', 'host_key_changed', 'auth_rejected', 'configuration_fault'] as const;
export type LookKind = (typeof LOOK_KINDS)[number];

/** What the journal tells of; each kind is one thing that happened, to one VPS or to the fleet. */
export type JournalKind =
  | LookKind
  | 'restart_intended'
  | 'restart_succeeded'
  | 'restart_failed'
  /** Sent, and nobody knows what became of it. */
  | 'restart_unknown'
  | 'circuit_opened'
  | 'trial_began'
  | 'trial_failed'
  | 'circuit_closed'
  | 'recovered'
  | 'rights_lost'
  /** By its own `Restart=`, without us. */
  | 'systemd_restarted'
  | 'maintenance_began'
  | 'maintenance_ended'
  | 'monitor_fault_began'
  | 'monitor_fault_ended'
  | 'admin_action';

/** A few facts of an event: short, clean, without secrets. */
export type JournalDetail = Readonly<Record<string, string | number | boolean | null>>;

/** Who did it: the monitor by itself, the command line, or the user with this id. */
export type JournalActor = 'monitor' | 'cli' | (string & {});

export type JournalEntry = {
  readonly at: Date;
  readonly kind: JournalKind;
  readonly userId: string | null;
  readonly vpsId: string | null;
  readonly incidentId: string | null;
  readonly actor: JournalActor;
  readonly detail: JournalDetail;
};

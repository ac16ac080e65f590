/** What is known of a server when somebody asks whether it can do its work. */
export type Standing = {
  readonly databaseWritable: boolean;
  /** Whether it is to watch the fleet. */
  readonly monitorEnabled: boolean;
  readonly role: 'off' | 'sweeping' | 'standby';
  /** When the first sweep was due that should have ended by now, as far as anybody knows. */
  readonly overdueSince: Date | null;
  /** How long after its time a sweep may still have to come. */
  readonly patienceMs: number;
};

export type Readiness =
  | { readonly ready: true; readonly word: 'leading' | 'standby' | 'off' }
  | { readonly ready: false; readonly word: 'database' | 'stopped' | 'stale' };

/**
 * Whether the server can do its work, in one word: its database takes writes, its monitor leads or stands by (or is off on
 * purpose), and a sweep that was due has come, whoever has made it.
 */
export function judgeReadiness(
  { databaseWritable, monitorEnabled, role, overdueSince, patienceMs }: Standing,
  now: Date,
): Readiness {
  if (!databaseWritable) return { ready: false, word: 'database' };
  if (!monitorEnabled) return { ready: true, word: 'off' };
  if (role === 'off') return { ready: false, word: 'stopped' };
  if (overdueSince !== null && now.getTime() - overdueSince.getTime() > patienceMs)
    return { ready: false, word: 'stale' };
  return { ready: true, word: role === 'standby' ? 'standby' : 'leading' };
}

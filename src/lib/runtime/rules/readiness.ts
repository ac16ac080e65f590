import { freshnessOf, type Watch } from '../../facts/freshness.ts';

/** What is known of a server when somebody asks whether it can do its work. */
export type Standing = {
  /** How the sweeps are going; null: its database takes no writes. */
  readonly watch: Watch | null;
  /** Whether it is to watch the fleet. */
  readonly monitorEnabled: boolean;
  readonly role: 'off' | 'sweeping' | 'standby';
};

export type Readiness =
  | { readonly ready: true; readonly word: 'leading' | 'standby' | 'off' }
  | { readonly ready: false; readonly word: 'database' | 'stopped' | 'stale' };

/**
 * Whether the server can do its work, in one word: its database takes writes, its monitor leads or stands by (or is off on
 * purpose), and the last sweep, whoever has made it, says how things are: by the rule of all pages, which gives a server
 * that has just begun as long for its first one.
 */
export function judgeReadiness({ watch, monitorEnabled, role }: Standing, now: Date): Readiness {
  if (watch === null) return { ready: false, word: 'database' };
  if (!monitorEnabled) return { ready: true, word: 'off' };
  if (role === 'off') return { ready: false, word: 'stopped' };
  if (freshnessOf(watch, now).kind === 'stale') return { ready: false, word: 'stale' };
  return { ready: true, word: role === 'standby' ? 'standby' : 'leading' };
}

import type { JournalDetail, JournalKind } from '../facts/journal.ts';
import { shortDuration, withCommas } from '../facts/time-words.ts';

const ACTIONS: Readonly<Record<string, string>> = {
  vps_added: 'VPS added',
  vps_tried: 'Preflight run',
  shared_key_made: 'Shared login key made',
  vps_removed: 'VPS removed',
  vps_edited: 'VPS edited',
  check_requested: 'check asked for',
  restart_requested: 'restart asked for',
  circuit_reset: 'circuit reset',
  healing_paused: 'healing of this VPS paused',
  healing_resumed: 'healing of this VPS resumed',
  status_page_on: 'status page switched on',
  status_page_off: 'status page switched off',
  status_page_renewed: 'status page got a new address',
  role_changed: 'role changed',
  user_invited: 'user invited',
  user_removed: 'user removed',
  user_disabled: 'account disabled',
  user_enabled: 'account enabled',
  password_link_made: 'link for a password made',
  sessions_ended: 'sessions ended',
  messages_retried: 'failed messages tried again',
  maintenance_planned: 'maintenance planned',
  maintenance_ended: 'maintenance ended by hand',
  maintenance_cancelled: 'maintenance window deleted',
  host_key_repinned: 'host key trusted anew',
  healing_on: 'healing turned on',
  healing_off: 'healing turned off',
  outage_accepted: 'outage accepted: the next sweep counts',
  incident_acknowledged: 'incident acknowledged',
  history_made_up: 'demo: everything before this is made up',
};

/** An event of the journal as a person reads it, one line. */
export function describeEvent(kind: JournalKind, detail: JournalDetail): string {
  const message = typeof detail.message === 'string' && detail.message ? `: ${detail.message}` : '';
  switch (kind) {
    case 'check_failed':
      return `check failed${message}${detail.stopped === true ? ', stopped without an error, as by hand' : ''}`;
    case 'restart_intended':
      return 'restart sent';
    case 'restart_succeeded':
      return 'restart worked';
    case 'restart_failed':
      return `restart did not help${message}`;
    case 'restart_unknown':
      return `restart with unknown outcome${message}`;
    case 'circuit_opened':
      return detail.reason === 'crash_loop'
        ? 'circuit opened: the service keeps dying after restarts'
        : `circuit opened after ${figure(detail.failures)} failed checks`;
    case 'trial_began':
      return 'trial restart of the half-open circuit sent';
    case 'trial_failed':
      return 'trial restart failed, circuit open again';
    case 'circuit_closed':
      return 'circuit closed';
    case 'recovered':
      return typeof detail.afterMs === 'number' ? `recovered after ${shortDuration(detail.afterMs)}` : 'recovered';
    case 'systemd_restarted':
      return `restarted by systemd itself${detail.restarts === 1 ? '' : `, ${figure(detail.restarts)} times`}${detail.isLoop === true ? ': a crash loop that it keeps alive' : ''}`;
    case 'host_key_changed':
      return `host key changed${message}`;
    case 'auth_rejected':
      return `login refused${message}`;
    case 'configuration_fault':
      return `configuration fault${message}`;
    case 'maintenance_began':
      return 'maintenance began';
    case 'maintenance_ended':
      return 'maintenance ended';
    case 'monitor_fault_began':
      return faultInWords(detail);
    case 'monitor_fault_ended':
      if (detail.fault === 'delivery') return `${wayInWords(detail)} works again`;
      return detail.fault === 'healing_paused' ? 'healing goes on' : 'sweeps count again';
    case 'admin_action':
      return (
        (ACTIONS[String(detail.action)] ?? String(detail.action).replaceAll('_', ' ')) +
        (typeof detail.reason === 'string' && detail.reason ? `: ${detail.reason}` : '')
      );
  }
}

function faultInWords(detail: JournalDetail): string {
  if (detail.fault === 'healing_paused')
    return `healing pauses: ${figure(detail.stopped)} of ${figure(detail.fleet)} services stopped at once`;
  if (detail.fault === 'delivery')
    return `${wayInWords(detail)} ${detail.switchedOff === true ? 'is switched off, as it refuses what is sent' : 'takes nothing'}: ${detail.reason}`;
  return `sweeps are inconclusive: ${figure(detail.unreachable)} of ${figure(detail.reachableBefore)} VPSs became unreachable at once`;
}

const figure = (detail: JournalDetail[string] | undefined): string =>
  withCommas(typeof detail === 'number' ? detail : null);

/** `email`, or `webhook of root@example.com`. */
const wayInWords = ({ channel, target }: JournalDetail): string =>
  typeof target === 'string' ? `${channel} of ${target}` : String(channel);

import type { Letter } from './letter.ts';
import { parseCause, traitsOf, type Cause, type CauseTraits, type FirstAction } from '../../facts/cause.ts';
import type { ADMIN_KINDS, DigestItem, MessageFacts, MonitorFault } from '../../facts/message.ts';
import { shortAddress } from '../../facts/host-words.ts';
import { CHANNEL_WORDS, TARGET_WORDS } from './kind-words.ts';
import { durationInWords, spanInWords, timeInWords, count, withCommas } from '../../facts/time-words.ts';

type VpsMessage = Extract<MessageFacts, { about: 'vps' }>;
type FleetMessage = Extract<MessageFacts, { about: 'fleet' }>;
type Words = Pick<Letter, 'subject' | 'lead' | 'seen' | 'next' | 'command'>;
type AdminKind = (typeof ADMIN_KINDS)[number];
export type FleetKind = Extract<AdminKind, `monitor_fault_${string}`>;

export const hostOf = ({ host, port }: VpsMessage['vps']): string => shortAddress(host, port);

const CHECKS_GO_ON = 'Checks go on meanwhile; the first healthy one closes the circuit.';
const NOT_SENT_THEN = 'The message of its beginning could not be sent then, so this one tells both.';

function whatWasSeen({ incident, error }: VpsMessage): string[] {
  const counted =
    incident === null
      ? ''
      : `${count(incident.failedChecks, 'failed check')}, ${count(incident.restarts, 'restart')} so far.`;
  return [error === null ? '' : `Last seen: ${error}`, counted].filter(Boolean);
}

const traitsIn = ({ cause, incident }: VpsMessage): CauseTraits =>
  traitsOf(parseCause(cause ?? incident?.cause ?? 'unknown'));

/** The cause that a message of its own is about, where the facts of an older version do not say so. */
const USUAL: Readonly<Record<NonNullable<CauseTraits['adminKind']>, Cause>> = {
  host_key_changed: 'host_key_changed',
  access_rejected: 'auth_rejected',
  configuration_fault: 'unknown',
};

function traitsFor(kind: AdminKind, facts: VpsMessage): CauseTraits {
  const traits = traitsIn(facts);
  switch (kind) {
    case 'host_key_changed':
    case 'access_rejected':
    case 'configuration_fault':
      return traits.adminKind === kind ? traits : traitsOf(USUAL[kind]);
    case 'circuit_opened':
    case 'circuit_closed':
    case 'circuit_reminder':
    case 'crash_loop':
    case 'kept_alive':
    case 'monitor_fault_began':
    case 'monitor_fault_ended':
      return traits;
  }
}

/** What an open circuit waits for. */
function trial(facts: VpsMessage): string {
  const { fault, silent } = traitsIn(facts);
  const { trialAtMs, atMs } = facts;
  if (silent) return 'Nothing is restarted while SSH does not work.';
  if (fault === 'host' || fault === 'setup') return 'Nothing is restarted: that could not help.';
  return trialAtMs === null
    ? 'One trial restart follows as soon as SSH works.'
    : `Automatic restarts pause; one trial restart at ${timeInWords(trialAtMs, atMs)}.`;
}

const COMMANDS: Readonly<Record<FirstAction, (host: string) => string>> = {
  check: (host) => `wardround vps test ${host}`,
  restart: (host) => `wardround vps restart ${host}`,
  edit: (host) => `wardround vps edit ${host} --help`,
  repin: (host) => `wardround vps repin ${host}`,
};

/** In the middle of a sentence; `SSH protocol error` stays as it is. */
const inSentence = (title: string): string =>
  /^[A-Z][a-z]/.test(title) ? title.slice(0, 1).toLowerCase() + title.slice(1) : title;

/** The words for an admin about one VPS. `beginning`: what was to be told when it began and never was. */
export function adminWords(
  kind: Exclude<AdminKind, FleetKind>,
  facts: VpsMessage,
  beginning: DigestItem | null,
): Words {
  const host = hostOf(facts.vps);
  const { customer, service } = facts.vps;
  const sinceMs = facts.incident?.openedAtMs ?? facts.atMs;
  const since = timeInWords(sinceMs, facts.atMs);
  const seen = whatWasSeen(facts);
  const { error } = facts;
  const { title, todo, first } = traitsFor(kind, facts);
  const command = COMMANDS[first](host);
  switch (kind) {
    case 'circuit_opened':
      return {
        subject: `${host}: circuit opened`,
        lead: `The circuit of ${host} (${customer}) has opened: its checks have failed since ${since}.`,
        seen,
        next: [trial(facts), CHECKS_GO_ON, todo],
        command,
      };
    case 'crash_loop':
      return {
        subject: `${host}: crash loop, circuit opened`,
        lead: `${service} on ${host} (${customer}) keeps dying after restarts, so its circuit has opened.`,
        seen,
        next: [trial(facts), CHECKS_GO_ON, todo],
        command,
      };
    case 'kept_alive':
      return {
        subject: `${host}: systemd keeps restarting ${service}`,
        lead: `${service} on ${host} (${customer}) dies again and again, and systemd itself restarts it each time.`,
        seen: [error === null ? '' : `Seen: ${error}.`].filter(Boolean),
        next: [
          'No check has failed, so nothing is restarted from here and no customer is told.',
          'Read why it dies, and mend that.',
        ],
        command: `wardround vps show ${host}`,
      };
    case 'circuit_closed': {
      const span = spanInWords(sinceMs, facts.incident?.endedAtMs ?? facts.atMs);
      const looped = beginning?.kind === 'crash_loop' ? ` ${service} had kept dying after restarts.` : '';
      return {
        subject: `${host}: circuit closed`,
        lead:
          beginning === null
            ? `The circuit of ${host} (${customer}) is closed again: ${service} is running.`
            : `${host} (${customer}) was failing ${span}; its circuit had opened and is closed again.${looped}`,
        seen:
          beginning === null
            ? [`The incident lasted ${span}.`, ...seen]
            : [NOT_SENT_THEN, ...whatWasSeen({ ...facts, error: errorOf(beginning) })],
        next: ['Automatic restarts are allowed again.'],
      };
    }
    case 'circuit_reminder':
      return {
        subject: `${host}: circuit still open, for ${durationInWords(facts.atMs - sinceMs)}`,
        lead: `The circuit of ${host} (${customer}) is still open: it has been failing for ${durationInWords(facts.atMs - sinceMs)}.`,
        seen,
        next: [trial(facts), 'Acknowledge the incident to stop these reminders; its end is told in any case.', todo],
        command,
      };
    case 'host_key_changed':
      return {
        subject: `${host}: host key changed`,
        lead: `${host} (${customer}) shows another host key than the pinned one, so nothing is sent to it.`,
        seen,
        next: [todo],
        command,
      };
    case 'access_rejected':
      return {
        subject: `${host}: ${inSentence(title)}`,
        lead: `${host} (${customer}) has refused us access since ${since}: ${inSentence(title)}.`,
        seen,
        next: [todo],
        command,
      };
    case 'configuration_fault':
      return {
        subject: `${host}: ${inSentence(title)}`,
        lead: `${host} (${customer}) cannot be checked as it is set up: ${inSentence(title)}.`,
        seen,
        next: ['Nothing is restarted until that is mended.', todo],
        command,
      };
  }
}

const errorOf = ({ facts }: DigestItem): string | null => (facts.about === 'vps' ? facts.error : null);

/** The words for an admin about the monitor as a whole. `told`: the beginning has been told. */
export function fleetWords(kind: FleetKind, { fault, beganAtMs, atMs }: FleetMessage, told: boolean): Words {
  const seen = told ? [] : [NOT_SENT_THEN];
  const span = spanInWords(beganAtMs, atMs);
  if (kind === 'monitor_fault_began') return faultBegan(fault, timeInWords(beganAtMs, atMs));
  switch (fault.kind) {
    case 'outage':
      return {
        subject: 'Fleet: sweeps count again',
        lead: told
          ? `Sweeps count again: the outage lasted ${span}.`
          : `${outage(fault)} ${span}, so sweeps did not count; they count again.`,
        seen,
        next: [
          'No state moved and no customer was told meanwhile. Whatever is still unreachable is counted from now on.',
        ],
      };
    case 'healing_paused':
      return {
        subject: 'Fleet: healing is on again',
        lead: told
          ? `Healing is on again: it was paused ${span}.`
          : `Healing was paused ${span}, as ${stopped(fault)}; it is on again.`,
        seen,
        next: ['Services that are still stopped are restarted within the usual limits.'],
      };
    case 'delivery':
      return {
        subject: `${capital(wayOf(fault))}: works again`,
        lead: `Nothing got through by ${wayOf(fault)} ${span}; it works again.`,
        seen,
        next: ['What had waited meanwhile is sent now.'],
      };
  }
}

/** `e-mail`, or `the webhook of root@example.com`. */
const wayOf = ({ channel, target }: Extract<MonitorFault, { kind: 'delivery' }>): string =>
  target === null ? CHANNEL_WORDS[channel] : `${TARGET_WORDS[channel]} ${target}`;
const capital = (text: string): string => text.slice(0, 1).toUpperCase() + text.slice(1);

function deliveryFailed(fault: Extract<MonitorFault, { kind: 'delivery' }>, at: string): Words {
  const way = wayOf(fault);
  const { channel, target, reason } = fault;
  if (fault.switchedOff)
    return {
      subject: `${capital(way)}: switched off`,
      lead: `${capital(way)} has refused for good what we send since ${at}, so it is switched off.`,
      seen: [`Last seen: ${reason}`],
      next: ['Nothing more is sent there. When that is mended, turn it on again:'],
      command: `wardround notify prefs ${target} --channel ${channel} --on`,
    };
  return {
    subject: `${capital(way)}: nothing gets through`,
    lead: `Nothing has got through by ${way} since ${at}.`,
    seen: [`Last seen: ${reason}`, 'What is to be told there waits, for three days at most, and is tried again.'],
    next: [target === null ? 'When that is mended, try it:' : 'To try it:'],
    command: `wardround notify test --to ${target ?? 'EMAIL'} --channel ${channel}`,
  };
}

const outage = ({ unreachable, reachableBefore }: Extract<MonitorFault, { kind: 'outage' }>): string =>
  `${withCommas(unreachable)} of ${count(reachableBefore, 'VPS', 'VPSs')} that had been reachable were unreachable at once`;
const stopped = (fault: Extract<MonitorFault, { kind: 'healing_paused' }>): string =>
  `${withCommas(fault.stopped)} of ${count(fault.fleet, 'service')} had stopped at once`;

function faultBegan(fault: MonitorFault, at: string): Words {
  switch (fault.kind) {
    case 'outage':
      return {
        subject: `Fleet: ${withCommas(fault.unreachable)} of ${withCommas(fault.reachableBefore)} VPSs unreachable at once, sweeps do not count`,
        lead: `Since ${at}, ${outage(fault)}: that looks like our own network, so sweeps do not count.`,
        seen: ['Checks go on. No state moves, nothing is restarted and no customer is told until it is over.'],
        next: ['If it is the fleet and not us, say so, and sweeps count again:'],
        command: 'wardround outage accept',
      };
    case 'healing_paused':
      return {
        subject: `Fleet: ${withCommas(fault.stopped)} of ${withCommas(fault.fleet)} services stopped at once, healing is paused`,
        lead: `At ${at}, ${stopped(fault)}: that looks like a bad release, so healing is paused.`,
        seen: ['Checks go on and customers are told as usual, but nothing is restarted.'],
        next: ['When restarts are the right answer, let them go on:'],
        command: 'wardround healing on',
      };
    case 'delivery':
      return deliveryFailed(fault, at);
  }
}

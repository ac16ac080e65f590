import { describe, expect, it } from 'vitest';
import { CAUSE_NAMES, isOurFault, traitsOf, type Cause } from '../facts/cause.ts';
import { render } from '../notifications/wording/render.ts';
import { customerSentence, type CustomerFacts } from './customer-sentence.ts';

const NOW = new Date('2026-11-24T14:20:00Z');
const ago = (seconds: number): Date => new Date(NOW.getTime() - seconds * 1_000);
const ahead = (seconds: number): Date => ago(-seconds);

const HEALTHY: CustomerFacts['vps'] = {
  active: true,
  subscriptionStatus: 'active',
  maintenanceSince: null,
  maintenanceUntil: null,
  knownUntil: ahead(168),
  status: 'healthy',
  circuitState: 'closed',
  circuitReason: null,
  halfOpenAt: null,
  lastCheckAt: ago(12),
  lastHealthyAt: ago(12),
  lastErrorCode: null,
  startingUntil: null,
  authRetryAt: null,
};
const MONITOR: CustomerFacts['monitor'] = { role: 'sweeping', nextSweepAt: ahead(34), healing: 'on', outage: false };
const INCIDENT = { openedAt: ago(18 * 60), cause: 'service_not_active', restarts: 0, acknowledgedAt: null } as const;
const beganWith = (cause: Cause) => ({ incident: { ...INCIDENT, cause } });
const CALM = { incident: null, isRestarting: false, restartedAt: null, monitor: MONITOR };

const sentence = (vps: Partial<CustomerFacts['vps']>, more: Partial<CustomerFacts> = {}): string => {
  const { mark, label, now, next } = customerSentence({ ...CALM, ...more, vps: { ...HEALTHY, ...vps } }, NOW);
  return `${mark}/${label}: ${now} ${next}`;
};
const LATE = { lastCheckAt: ago(600), lastHealthyAt: ago(600), knownUntil: ago(420) };
const unhealthy = { status: 'unhealthy', lastErrorCode: 'service_not_active', lastHealthyAt: ago(90) } as const;
const open = {
  ...unhealthy,
  status: 'circuit_open',
  circuitState: 'open',
  circuitReason: 'failures',
  halfOpenAt: ahead(12 * 60 + 5),
} as const;

describe('the sentence for a customer says how things are and what happens next', () => {
  it.each<[string, Partial<CustomerFacts['vps']>, Partial<CustomerFacts>, string]>([
    ['all is well', {}, {}, 'healthy/Running: Running. Checked 12 s ago.'],
    [
      'a restart of late',
      {},
      { restartedAt: new Date('2026-11-24T14:03:20Z') },
      'healthy/Running: We restarted it at 14:03 UTC and it is running. Checked 12 s ago.',
    ],
    ['a restart long ago', {}, { restartedAt: ago(3 * 3600) }, 'healthy/Running: Running. Checked 12 s ago.'],
    [
      'between two states',
      { lastErrorCode: 'service_in_transition' },
      {},
      'healthy/Running: Your service is just starting or stopping. We look again in 34 s.',
    ],
    [
      'stopped',
      unhealthy,
      {},
      'unhealthy/Not running: The service on your server is not running. We restart it in 34 s.',
    ],
    [
      'stopped, a restart failed',
      unhealthy,
      { incident: { ...INCIDENT, restarts: 1 } },
      'unhealthy/Not running: One restart did not help. We try again in 34 s.',
    ],
    [
      'stopped, the first restart under way',
      unhealthy,
      { incident: { ...INCIDENT, restarts: 1 }, isRestarting: true },
      'unhealthy/Not running: The service on your server is not running. We are restarting it now.',
    ],
    [
      'stopped, the second restart under way',
      unhealthy,
      { incident: { ...INCIDENT, restarts: 2 }, isRestarting: true },
      'unhealthy/Not running: One restart did not help. We are restarting it now.',
    ],
    [
      'given up, the trial under way',
      { ...open, circuitState: 'half_open', halfOpenAt: null },
      { incident: { ...INCIDENT, restarts: 4 }, isRestarting: true },
      'unhealthy/Not running: Three restarts did not help; our team knows, and we are restarting it now.',
    ],
    [
      'stopped while a sweep is under way',
      unhealthy,
      { monitor: { ...MONITOR, nextSweepAt: ago(3) } },
      'unhealthy/Not running: The service on your server is not running. We restart it any moment.',
    ],
    [
      'stopped, healing paused',
      unhealthy,
      { monitor: { ...MONITOR, healing: 'paused' } },
      'unhealthy/Not running: The service on your server is not running. Restarts wait for our team, which knows.',
    ],
    [
      'starting',
      { ...unhealthy, lastErrorCode: 'service_starting', startingUntil: ahead(50) },
      {},
      'unhealthy/Not running: The service on your server is not running yet: it is starting. We give it until 14:20 UTC.',
    ],
    [
      'starting, and given up before',
      { ...open, lastErrorCode: 'service_starting', startingUntil: ahead(540) },
      {},
      'unhealthy/Not running: The service on your server is not running yet: it is starting. We give it until 14:29 UTC.',
    ],
    [
      'misconfigured',
      { ...unhealthy, lastErrorCode: 'unit_masked' },
      beganWith('unit_masked'),
      'unhealthy/Not running: The service on your server has not been running since 14:02 UTC. Our team has to look; we try again in 34 s.',
    ],
    [
      'sudo refuses',
      { ...unhealthy, lastErrorCode: 'sudo_refused' },
      beganWith('sudo_refused'),
      'unchecked/Cannot be checked: We have not been able to check the service on your server since 14:02 UTC. Our team has to look; we try again in 34 s.',
    ],
    [
      'the command printed too much',
      { status: 'down', lastErrorCode: 'output_limit' },
      {},
      'unchecked/Cannot be checked: We cannot check the service on your server. We try again in 34 s.',
    ],
    [
      'unreachable',
      { status: 'down', lastErrorCode: 'timeout' },
      beganWith('refused'),
      'down/No answer: Your server has not answered since 14:02 UTC. We try again in 34 s.',
    ],
    [
      'unreachable, but stopped at first',
      { status: 'down', lastErrorCode: 'timeout' },
      { incident: INCIDENT },
      'down/No answer: Your server does not answer. We try again in 34 s.',
    ],
    [
      'refused logins, so that checks wait',
      { status: 'down', lastErrorCode: 'auth_rejected', authRetryAt: ahead(4 * 60 + 5) },
      beganWith('auth_rejected'),
      'unchecked/Cannot be checked: We have not been able to check the service on your server since 14:02 UTC. Our team has to look; we try again in 4 min.',
    ],
    [
      'given up',
      open,
      { incident: { ...INCIDENT, restarts: 3 } },
      'unhealthy/Not running: Three restarts did not help; our team knows, next automatic try in 12 min.',
    ],
    [
      'given up, and somebody sees to it',
      open,
      { incident: { ...INCIDENT, restarts: 3, acknowledgedAt: ago(60) } },
      'unhealthy/Not running: Three restarts did not help; our team is on it, next automatic try in 12 min.',
    ],
    [
      'given up, trial due',
      { ...open, circuitState: 'half_open', halfOpenAt: null },
      { incident: { ...INCIDENT, restarts: 3 } },
      'unhealthy/Not running: Three restarts did not help; our team knows, next automatic try in 34 s.',
    ],
    [
      'crash loop',
      { ...open, circuitReason: 'crash_loop', lastErrorCode: 'crash_loop' },
      { incident: { ...INCIDENT, restarts: 5 } },
      'unhealthy/Not running: Your service keeps stopping after restarts; our team knows, next automatic try in 12 min.',
    ],
    [
      'given up, healing off',
      open,
      { incident: { ...INCIDENT, restarts: 3 }, monitor: { ...MONITOR, healing: 'off' } },
      'unhealthy/Not running: Three restarts did not help; our team knows, restarts wait for it.',
    ],
    [
      'unreachable for long',
      { ...open, lastErrorCode: 'refused' },
      beganWith('refused'),
      'down/No answer: Your server has not answered since 14:02 UTC; our team knows, and we try again in 34 s.',
    ],
    [
      'misconfigured for long',
      { ...open, lastErrorCode: 'sudo_refused' },
      beganWith('sudo_refused'),
      'unchecked/Cannot be checked: We have not been able to check the service on your server since 14:02 UTC; our team knows, and we try again in 34 s.',
    ],
    [
      'a crash loop, and unreachable by now',
      { ...open, circuitReason: 'crash_loop', lastErrorCode: 'timeout' },
      { incident: INCIDENT },
      'down/No answer: Your server does not answer; our team knows, and we try again in 34 s.',
    ],
    [
      'maintenance with an end',
      { ...unhealthy, maintenanceSince: ago(600), maintenanceUntil: new Date('2026-11-25T02:00:00Z') },
      {},
      'maintenance/Maintenance: Under maintenance until 02:00 UTC on 25 November. We keep looking, but restart nothing meanwhile.',
    ],
    [
      'maintenance without one',
      { maintenanceSince: ago(600) },
      {},
      'maintenance/Maintenance: Under maintenance. We keep looking, but restart nothing meanwhile.',
    ],
    [
      'not checked yet',
      { status: null, lastCheckAt: null, lastHealthyAt: null },
      {},
      'unchecked/Not checked yet: Not checked yet. The first check comes in 34 s.',
    ],
    [
      'not checked yet, nobody will',
      { status: null, lastCheckAt: null, lastHealthyAt: null },
      { monitor: { ...MONITOR, role: 'off', nextSweepAt: null } },
      'unchecked/Not checked yet: Not checked yet. Our checks are switched off at the moment.',
    ],
    [
      'not checked yet by our fault',
      { status: null, lastCheckAt: null, lastHealthyAt: null, lastErrorCode: 'key_unreadable' },
      {},
      'unchecked/Not checked yet: We could not check your server yet. That is our fault; our team knows.',
    ],
    [
      'a fault of ours',
      { lastErrorCode: 'key_unreadable', lastHealthyAt: ago(130) },
      {},
      'unknown/Unknown: We could not check your server; that is our fault. It was last seen running 2 min ago. Our team knows.',
    ],
    [
      'an outage of ours',
      { status: 'down', lastErrorCode: 'timeout', lastHealthyAt: ago(240) },
      { monitor: { ...MONITOR, outage: true } },
      'unknown/Unknown: Our own checks do not get through, so we cannot tell how your server is. It was last seen running 4 min ago. Our team knows.',
    ],
    [
      'checks are late',
      LATE,
      {},
      'unknown/Unknown: Not checked since 14:10 UTC: our checks are late. It was last seen running 10 min ago. We look again in 34 s.',
    ],
    [
      'checks are late, and it was down when they came',
      { ...LATE, status: 'down', lastErrorCode: 'timeout', lastHealthyAt: ago(4_000) },
      {},
      'unknown/Unknown: Not checked since 14:10 UTC: our checks are late. It was last seen running 1 h ago. We look again in 34 s.',
    ],
    [
      'a fault of ours for so long that nothing is known',
      { ...LATE, lastErrorCode: 'key_unreadable' },
      {},
      'unknown/Unknown: Not checked since 14:10 UTC; that is our fault. It was last seen running 10 min ago. Our team knows.',
    ],
    [
      'an outage of ours for so long',
      LATE,
      { monitor: { ...MONITOR, outage: true } },
      'unknown/Unknown: Not checked since 14:10 UTC: our own checks do not get through. It was last seen running 10 min ago. Our team knows.',
    ],
    [
      'refused logins, for half an hour already',
      {
        status: 'down',
        lastErrorCode: 'auth_rejected',
        lastCheckAt: ago(900),
        authRetryAt: ahead(900),
        knownUntil: ahead(1_080),
      },
      {},
      'unchecked/Cannot be checked: We cannot check the service on your server. Our team has to look; we try again in 15 min.',
    ],
    [
      'maintenance while checks are late',
      { ...LATE, maintenanceSince: ago(900) },
      {},
      'maintenance/Maintenance: Under maintenance. Not checked since 14:10 UTC; nothing is restarted meanwhile.',
    ],
    [
      'checks are off',
      { lastCheckAt: ago(7200), lastHealthyAt: ago(7200), knownUntil: ago(7020) },
      { monitor: { ...MONITOR, role: 'off', nextSweepAt: null } },
      'unknown/Unknown: Not checked since 12:20 UTC: our checks are switched off at the moment. It was last seen running 2 h ago.',
    ],
    [
      'being set up',
      { active: false },
      {},
      'not_watched/Not watched: Your server is being set up. Checks begin as soon as it is ready.',
    ],
    [
      'past due',
      { active: false, subscriptionStatus: 'past_due' },
      {},
      'not_watched/Not watched: Checks have stopped: a payment is overdue. They go on as soon as it has arrived.',
    ],
    [
      'cancelled',
      { active: false, subscriptionStatus: 'canceled' },
      {},
      'not_watched/Not watched: Checks have ended: your subscription is cancelled. Nothing is restarted any more.',
    ],
  ])('%s', (_, vps, more, expected) => {
    expect(sentence(vps, more)).toBe(expected);
  });

  it.each(CAUSE_NAMES)('never uses the words of the trade: %s', (cause) => {
    for (const state of [open, { ...open, circuitReason: 'crash_loop' as const }, unhealthy])
      expect(sentence({ ...state, lastErrorCode: cause }, beganWith(cause))).not.toMatch(
        /circuit|breaker|half-open|ssh|systemd|sudo|unit\b|host key|login|exit status|protocol/i,
      );
  });
});

const HOST = 'nordlys.example';
/** What the mail about the same says first. */
const mailed = (cause: Cause, began: Cause): string => {
  const incident = { id: 'i', openedAtMs: INCIDENT.openedAt.getTime(), endedAtMs: null, cause: began };
  const vps = { id: 'v', customer: 'Ada', host: HOST, port: 22, service: 'rachel8' };
  const facts = {
    ...({ about: 'vps', atMs: NOW.getTime(), vps, error: 'RAW', cause, trialAtMs: null } as const),
    incident: { ...incident, failedChecks: 2, restarts: 0 },
  };
  return render({ kind: 'down', facts }, 'https://wardround.example').text.split('\n')[0] ?? '';
};
/** Which trouble is told. */
const toldIn = (said: string): string[] =>
  Object.entries({
    not_running: /is not running|has not been running/,
    no_answer: /does not answer|has not answered/,
    no_check: /cannot check|not been able to check/,
  }).flatMap(([trouble, words]) => (words.test(said) ? [trouble] : []));

describe('page and mail', () => {
  const CAUSES_OF_INCIDENTS = CAUSE_NAMES.filter((cause) => !isOurFault(cause));

  it.each(CAUSES_OF_INCIDENTS)('say the same of %s, and what is true of it', (cause) => {
    for (const state of [{ status: 'down' }, unhealthy, open] as const)
      for (const began of ['timeout', 'service_not_active', cause] as const) {
        const vps = { ...HEALTHY, ...state, lastErrorCode: cause };
        const page = customerSentence({ ...CALM, ...beganWith(began), vps }, NOW);
        expect(toldIn(mailed(cause, began))).toEqual([traitsOf(cause).trouble]);
        expect(toldIn(page.now)).toEqual([traitsOf(cause).trouble]);
        if (traitsOf(cause).fault !== 'service')
          expect(mailed(cause, began).replace(` ${HOST}`, '')).toBe(page.now.replace(/;$/, '.'));
      }
  });
});

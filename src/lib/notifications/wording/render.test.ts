import { describe, expect, it } from 'vitest';
import {
  ADMIN_KINDS,
  CUSTOMER_KINDS,
  type DigestItem,
  type MessageFacts,
  type MonitorFault,
} from '../../facts/message.ts';
import { CAUSE_NAMES, CAUSES, isOurFault, traitsOf, type Cause } from '../../facts/cause.ts';
import { render, renderTest } from './render.ts';
import { durationInWords, spanInWords, timeInWords } from '../../facts/time-words.ts';

const AT = Date.UTC(2026, 10, 24, 14, 3);
const MINUTE = 60_000;
const URL = 'https://wardround.example';
type VpsFacts = Extract<MessageFacts, { about: 'vps' }>;

const began: VpsFacts = {
  about: 'vps',
  atMs: AT + 2 * MINUTE,
  vps: { id: 'vps-1', customer: 'Ada', host: 'nordlys.example', port: 22, service: 'rachel8' },
  incident: { id: 'incident-1', openedAtMs: AT, endedAtMs: null, cause: 'timeout', failedChecks: 3, restarts: 2 },
  error: 'no answer within 10 s (connect)',
  trialAtMs: AT + 32 * MINUTE,
};
const withCause = (cause: Cause): VpsFacts => ({
  ...began,
  cause,
  incident: began.incident && { ...began.incident, cause },
});
const stopped = withCause('service_not_active');
const ended = (facts: VpsFacts, minutes = 77): VpsFacts => ({
  ...facts,
  atMs: AT + minutes * MINUTE,
  incident: facts.incident && { ...facts.incident, endedAtMs: AT + minutes * MINUTE },
});
const fleet = (fault: MonitorFault, minutes = 0): MessageFacts => ({
  about: 'fleet',
  atMs: AT + minutes * MINUTE,
  beganAtMs: AT,
  fault,
});
const outage: MonitorFault = { kind: 'outage', unreachable: 12, reachableBefore: 30 };
const paused: MonitorFault = { kind: 'healing_paused', stopped: 8, fleet: 12 };
const circuit: DigestItem = { kind: 'circuit_opened', facts: began };
const leadOf = (text: string): string | undefined => text.split('\n\n')[0];

const JARGON =
  /circuit|breaker|\bssh|sweep|no answer within|systemd|sudo|\bunit\b|host key|login|exit status|protocol|monitor\b/i;

describe('a message to a customer', () => {
  it.each([
    [
      'down',
      began,
      null,
      'nordlys.example does not answer',
      'Your server nordlys.example has not answered since 14:03 UTC.',
    ],
    [
      'down',
      withCause('auth_rejected'),
      null,
      'nordlys.example: we cannot check the service',
      'We have not been able to check the service on your server nordlys.example since 14:03 UTC.',
    ],
    [
      'down',
      { ...stopped, cause: 'timeout' },
      null,
      'nordlys.example does not answer',
      'Your server nordlys.example does not answer.',
    ],
    [
      'down',
      stopped,
      null,
      'nordlys.example: the service is not running',
      'The service on your server nordlys.example has not been running since 14:03 UTC.',
    ],
    ['up', ended(began), null, 'nordlys.example is running again', 'Your server nordlys.example is running again.'],
    [
      'up',
      ended(began),
      { kind: 'down', facts: began },
      'nordlys.example is running again',
      'Your server nordlys.example did not answer from 14:03 to 15:20 UTC (77 min); it is running now.',
    ],
    [
      'up',
      ended(stopped),
      { kind: 'down', facts: stopped },
      'nordlys.example is running again',
      'The service on your server nordlys.example was not running from 14:03 to 15:20 UTC (77 min); it is running now.',
    ],
    [
      'up',
      ended(withCause('host_key_changed')),
      null,
      'nordlys.example: the service is running',
      'We can check the service on your server nordlys.example again: it is running.',
    ],
    [
      'recovered',
      ended(stopped, 1),
      null,
      'nordlys.example: the service had stopped and is running again',
      'The service on your server nordlys.example had stopped and was started again automatically.',
    ],
  ] as const)('%s begins with one plain sentence', (kind, facts, beginning, subject, lead) => {
    const { subject: given, text } = render({ kind, facts, beginning }, URL);
    expect([given, leadOf(text)]).toEqual([subject, lead]);
  });

  it.each(CUSTOMER_KINDS)('%s has no jargon, and nothing that a host has said', (kind) => {
    for (const facts of [ended(began), ...CAUSE_NAMES.map(withCause)]) {
      const { text, html } = render({ kind, facts }, URL);
      expect(text + html.replace(/<style>.*<\/style>/s, '')).not.toMatch(JARGON);
      expect(text).toContain(`${URL}/incidents/incident-1`);
    }
  });
});

describe('a message to an admin', () => {
  const facts: Record<string, MessageFacts> = {
    circuit_opened: stopped,
    host_key_changed: withCause('host_key_changed'),
    access_rejected: withCause('sudo_refused'),
    configuration_fault: withCause('unit_masked'),
    circuit_closed: ended(began),
    circuit_reminder: { ...began, atMs: AT + 49 * 60 * MINUTE },
    monitor_fault_began: fleet(outage),
    monitor_fault_ended: fleet(outage, 12),
  };
  it.each([
    [
      'circuit_opened',
      'nordlys.example: circuit opened',
      [
        '(Ada) has opened: its checks have failed since 14:03 UTC.',
        'Last seen: no answer within 10 s (connect)',
        'one trial restart at 14:35 UTC',
        'wardround vps restart nordlys.example',
      ],
    ],
    [
      'circuit_closed',
      'nordlys.example: circuit closed',
      ['is closed again: rachel8 is running.', 'from 14:03 to 15:20 UTC (77 min)'],
    ],
    ['circuit_reminder', 'nordlys.example: circuit still open, for 2 days 1 h', ['Acknowledge the incident']],
    ['kept_alive', 'nordlys.example: systemd keeps restarting rachel8', ['systemd itself restarts it each time']],
    ['crash_loop', 'nordlys.example: crash loop, circuit opened', ['rachel8 on nordlys.example (Ada) keeps dying']],
    ['host_key_changed', 'nordlys.example: host key changed', ['wardround vps repin nordlys.example']],
    [
      'access_rejected',
      'nordlys.example: sudo refused',
      ['has refused us access since 14:03 UTC: sudo refused.', 'wardround vps test nordlys.example'],
    ],
    [
      'configuration_fault',
      'nordlys.example: unit masked',
      ['cannot be checked as it is set up: unit masked.', 'Nothing is restarted until that is mended.'],
    ],
    [
      'monitor_fault_began',
      'Fleet: 12 of 30 VPSs unreachable at once, sweeps do not count',
      ['wardround outage accept', `${URL}/`],
    ],
    ['monitor_fault_ended', 'Fleet: sweeps count again', ['the outage lasted from 14:03 to 14:15 UTC (12 min).']],
  ] as const)('%s says what was seen and what happens next', (kind, subject, parts) => {
    const rendered = render({ kind, facts: facts[kind] ?? began }, URL);
    expect(rendered.subject).toBe(subject);
    for (const part of parts) {
      expect(rendered.text).toContain(part);
      expect(rendered.html).toContain(part);
    }
  });

  it.each(CAUSE_NAMES.filter((cause) => !isOurFault(cause)))(
    'about an open circuit says what to do about %s, and promises a trial restart only where one can help',
    (cause) => {
      const { text } = render({ kind: 'circuit_opened', facts: withCause(cause) }, URL);
      expect(text).toContain(CAUSES[cause].todo);
      expect(text.includes('one trial restart')).toBe(traitsOf(cause).fault === 'service');
      expect(text.includes('wardround vps repin')).toBe(cause === 'host_key_changed');
    },
  );

  it('of an older version says what its kind is about', () => {
    expect(render({ kind: 'host_key_changed', facts: began }, URL).text).toContain(
      'wardround vps repin nordlys.example',
    );
    expect(render({ kind: 'access_rejected', facts: began }, URL).subject).toBe('nordlys.example: login refused');
  });

  it('has words for every kind', () => {
    for (const kind of ADMIN_KINDS) expect(render({ kind, facts: facts[kind] ?? began }, URL).subject).not.toBe('');
  });

  it('about paused healing names the command that decides', () => {
    const { subject, text } = render({ kind: 'monitor_fault_began', facts: fleet(paused) }, URL);
    expect(subject).toBe('Fleet: 8 of 12 services stopped at once, healing is paused');
    expect(text).toContain('    wardround healing on\n');
  });

  it.each([
    [
      'circuit_closed',
      ended(began),
      circuit,
      'nordlys.example (Ada) was failing from 14:03 to 15:20 UTC (77 min); its circuit had opened and is closed again.',
    ],
    [
      'monitor_fault_ended',
      fleet(outage, 12),
      { kind: 'monitor_fault_began', facts: fleet(outage) },
      '12 of 30 VPSs that had been reachable were unreachable at once from 14:03 to 14:15 UTC (12 min), so sweeps did not count; they count again.',
    ],
    [
      'monitor_fault_ended',
      fleet(paused, 12),
      { kind: 'monitor_fault_began', facts: fleet(paused) },
      'Healing was paused from 14:03 to 14:15 UTC (12 min), as 8 of 12 services had stopped at once; it is on again.',
    ],
  ] as const)('tells the beginning as well where that was never sent: %s', (kind, given, beginning, lead) => {
    expect(leadOf(render({ kind, facts: given, beginning: beginning as DigestItem }, URL).text)).toBe(lead);
  });

  it.each([
    ['email', null, false, 'E-mail: nothing gets through', 'Nothing has got through by e-mail since 14:03 UTC.'],
    [
      ...['telegram', 'root@admin.example', false, 'The Telegram chat of root@admin.example: nothing gets through'],
      'Nothing has got through by the Telegram chat of root@admin.example since 14:03 UTC.',
    ],
    [
      ...['webhook', 'root@admin.example', true, 'The webhook of root@admin.example: switched off'],
      'The webhook of root@admin.example has refused for good what we send since 14:03 UTC, so it is switched off.',
    ],
  ] as const)(
    'about a channel that fails says which one, and what to do: %s',
    (channel, target, off, subject, lead) => {
      const fault: MonitorFault = { kind: 'delivery', channel, target, reason: 'refused\u202e', switchedOff: off };
      const message = render({ kind: 'monitor_fault_began', facts: fleet(fault) }, URL);
      expect(message.subject).toBe(subject);
      expect(leadOf(message.text)).toBe(lead);
      expect(message.text).toContain('Last seen: refused\n');
      expect(message.text).toMatch(/ {4}wardround notify (prefs|test) /);
      expect(render({ kind: 'monitor_fault_ended', facts: fleet(fault, 9) }, URL).subject).toMatch(/works again$/);
    },
  );

  it('names the port where it is not 22, and the machine where there is no incident', () => {
    const { subject, text } = render(
      { kind: 'circuit_opened', facts: { ...began, incident: null, vps: { ...began.vps, port: 2201 } } },
      URL,
    );
    expect(subject).toBe('nordlys.example:2201: circuit opened');
    expect(text).toContain(`The server: ${URL}/vps/vps-1`);
  });
});

describe('a digest', () => {
  it('groups by kind, trouble first, counts, and stops after 50 lines', () => {
    const items: DigestItem[] = [
      ...Array.from({ length: 60 }, (_, n): DigestItem => ({
        kind: 'circuit_opened',
        facts: { ...began, vps: { ...began.vps, host: `h${n}` } },
      })),
      { kind: 'host_key_changed', facts: began },
      { kind: 'monitor_fault_began', facts: fleet(outage) as Exclude<MessageFacts, { about: 'digest' }> },
    ];
    const { subject, text, html } = render({ kind: 'digest', facts: { about: 'digest', atMs: AT, items } }, URL);
    expect(subject).toBe(
      'Fleet: 62 messages in one (fault of the monitor: 1, host key changed: 1, circuit opened: 60)',
    );
    expect(leadOf(text)).toBe('62 things happened between 14:03 UTC and 14:05 UTC.');
    expect(text.match(/^ {2}- /gm)).toHaveLength(50);
    expect(html.match(/<li>/g)).toHaveLength(50);
    expect(text).toContain('  - h0 (Ada): no answer within 10 s (connect)');
    expect(text).toContain('and 12 more.');
  });
});

describe('all of them', () => {
  it('escape markup and drop control characters', () => {
    const evil = '<img src=x onerror=alert(1)> & "q" \u001b[31m\r\nBcc: x@y';
    const facts = { ...began, vps: { ...began.vps, host: evil, customer: evil, service: evil }, error: evil };
    for (const kind of [...ADMIN_KINDS.slice(0, 7), ...CUSTOMER_KINDS]) {
      const { subject, text, html } = render({ kind, facts }, URL);
      expect(html).not.toMatch(/<img|"q"/);
      // eslint-disable-next-line no-control-regex -- that there are none is what is tested
      expect(subject).not.toMatch(/[\u0000-\u001f]/);
      expect(text).not.toContain('\u001b');
      expect(text).not.toMatch(/^Bcc/m);
    }
  });

  it('refuse facts that do not belong to the kind', () => {
    expect(() => render({ kind: 'down', facts: fleet(outage) }, URL)).toThrow(
      'a message of the kind down cannot be about fleet',
    );
  });

  it('have a test message', () => {
    expect(renderTest(AT, URL).text).toContain('Written by Wardround on 24 November 2026, 14:03 UTC.');
  });
});

describe('time', () => {
  it.each([
    [45_000, '45 s'],
    [119_999, '119 s'],
    [120_000, '2 min'],
    [77 * MINUTE, '77 min'],
    [185 * MINUTE, '3 h 5 min'],
    [120 * MINUTE, '2 h'],
    [52 * 60 * MINUTE, '2 days 4 h'],
    [-5, '0 s'],
  ])('%i ms is %s', (ms, words) => {
    expect(durationInWords(ms)).toBe(words);
  });
  it('has its day where that differs', () => {
    expect(timeInWords(AT - 24 * 60 * MINUTE, AT)).toBe('14:03 UTC on 23 November');
    expect(spanInWords(AT - 24 * 60 * MINUTE, AT)).toBe('from 23 November 14:03 to 24 November 14:03 UTC (24 h)');
  });
});

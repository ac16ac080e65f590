import { describe, expect, it } from 'vitest';
import { CAUSE_NAMES, CAUSES, isBeyondRestart, isOurFault, parseCause, traitsOf, type CauseTraits } from './cause.ts';
import { TROUBLE_WORDS } from './trouble-words.ts';

const namesWith = (traits: Partial<CauseTraits>): string[] =>
  CAUSE_NAMES.filter((cause) =>
    Object.entries(traits).every(([trait, value]) =>
      Object.entries(traitsOf(cause)).some(([name, is]) => name === trait && is === value),
    ),
  );

describe('the table of causes', () => {
  it('reads what another version has stored as unknown', () => {
    expect(CAUSE_NAMES.map(parseCause)).toEqual(CAUSE_NAMES);
    for (const stored of ['', 'of_another_version', 'toString', '__proto__'])
      expect(parseCause(stored)).toBe('unknown');
  });

  it('calls silent what cannot be told from a fault of our own network', () => {
    expect(namesWith({ silent: true }).toSorted()).toEqual(['dns', 'refused', 'reset', 'timeout', 'unreachable']);
  });

  it('writes to customers of everything but our own faults, and a host that lets us in but not check', () => {
    const ours = [
      'key_unreadable',
      'key_invalid',
      'no_certificate',
      'address_refused',
      'target_invalid',
      'resolver',
      'local_limit',
      'stalled',
      'aborted',
      'outage',
    ];
    expect(namesWith({ fault: 'ours' }).toSorted()).toEqual(ours.toSorted());
    expect(namesWith({ tellsCustomer: false }).toSorted()).toEqual(['sudo_refused', 'odd_answer', ...ours].toSorted());
  });

  it('knows what a restart is no remedy for', () => {
    expect(isBeyondRestart('host_key_changed')).toBe(true);
    expect(isBeyondRestart('unit_masked')).toBe(true);
    expect(isBeyondRestart('service_not_active')).toBe(false);
    expect(isBeyondRestart('stalled')).toBe(false);
    expect([isOurFault('stalled'), isOurFault('timeout'), isOurFault(null)]).toEqual([true, false, false]);
  });

  it.each(CAUSE_NAMES)('says of %s what it is and what to do about it', (cause) => {
    const { title, todo } = CAUSES[cause];
    expect(title).toMatch(/^\S.{3,40}[^.]$/);
    expect(todo).toMatch(/^[A-Z].{15,}\.$/);
    expect(namesWith({ title })).toEqual([cause]);
  });

  it.each(CAUSE_NAMES)('says to customers that there was no answer exactly where there was none: %s', (cause) => {
    const { silent, trouble, fault } = traitsOf(cause);
    const words = TROUBLE_WORDS[trouble];
    const said = [words.label, words.now('it'), words.since('it', 'then'), words.over('it', 'then'), words.past].join(
      ' ',
    );
    expect(/No answer|(does|did) not answer|has not answered/.test(said)).toBe(silent);
    // That it is not running is said only where that was seen.
    const seen = fault === 'service' || cause === 'restart_refused' || cause.startsWith('unit_');
    expect(/not running/.test(said)).toBe(seen);
  });
});

import { describe, expect, it } from 'vitest';
import * as z from 'zod/mini';
import { called, oneOf, orNull, readBy, textLike, usually, wholeNumber } from './fields.ts';
import { host } from './network-fields.ts';
import { parse, withoutBlanks } from './parse.ts';
import { inForm, inTerminal, problem, type Problem } from './problems.ts';

const Door = z.object({
  colour: oneOf(['red', 'green']),
  width: usually('80', wholeNumber(60, 120, 'centimetres')),
  label: orNull(textLike(/^\w+$/, 'one word')),
  keyCode: called(textLike(/^\d{4}$/, 'four digits'), { title: 'key code', writeOnly: true, ask: 'Choose' }),
});
const GOOD = { colour: 'red', keyCode: '1234' };
const problemsOf = (given: Record<string, unknown>): readonly Problem[] => {
  const parsed = parse(Door, { ...GOOD, ...given });
  return 'problems' in parsed ? parsed.problems : [];
};

describe('parsing', () => {
  it('gives values, with what stands for nothing', () => {
    expect(parse(Door, { ...GOOD, label: ' front ' })).toEqual({
      value: { colour: 'red', width: 80, label: 'front', keyCode: '1234' },
    });
    expect(parse(Door, GOOD)).toMatchObject({ value: { width: 80, label: null } });
  });

  it('tells a terminal every problem at once: name, what was given, what is allowed', () => {
    expect(inTerminal(problemsOf({ colour: 'blue', width: '1e2', label: 'a b' }))).toEqual([
      'colour is "blue"; allowed: red, green',
      'width is "1e2"; allowed: a whole number of centimetres from 60 to 120',
      'label is "a b"; allowed: one word',
    ]);
  });

  it('tells a form by field what to do', () => {
    expect(inForm(problemsOf({ width: '59', keyCode: 'x' }))).toEqual({
      width: 'Enter a whole number of centimetres from 60 to 120.',
      keyCode: 'Choose four digits.',
    });
  });

  it('knows what is allowed in a field that may be left out', () => {
    const parsed = parse(z.object({ door: z.optional(oneOf(['front', 'back'])) }), { door: 'side' });
    expect(parsed).toMatchObject({ problems: [{ allowed: 'front, back' }] });
  });

  it('says that something is missing', () => {
    expect(inTerminal(problemsOf({ colour: undefined }))).toEqual(['colour is missing; allowed: red, green']);
  });

  it.each([
    ['a secret', { keyCode: 'HUNTER2' }],
    ['a login in an address', { label: 'https://user:HUNTER2@example.com' }],
    ['the same in a list', { label: ['https://user:HUNTER2@example.com'] }],
  ])('shows nowhere what may be secret: %s', (_, given) => {
    const problems = problemsOf(given);
    expect(problems).toHaveLength(1);
    expect(JSON.stringify([problems, inTerminal(problems), inForm(problems)])).not.toContain('HUNTER2');
  });

  it('has one problem for a field, and words of its own for what is no matter of form', () => {
    expect(
      inTerminal([problem('', 'give one end: for or until'), problem('port', 'port 22 is in use', 'another one')]),
    ).toEqual(['give one end: for or until', 'port 22 is in use; allowed: another one']);
    expect(
      inForm([problem('', 'give one end: for or until'), problem('port', 'it is in use', 'another port')]),
    ).toEqual({
      '': 'Give one end: for or until.',
      port: 'Enter another port. It is in use.',
    });
  });

  it('takes blanks for nothing given where the edge says so', () => {
    expect(withoutBlanks({ a: ' ', b: '', c: ' x ', d: [''] })).toEqual({ c: ' x ', d: [''] });
  });

  it('can be described to a program in JSON Schema, in the same words', () => {
    expect(z.toJSONSchema(z.object({ host, ...Door.shape }), { io: 'input' })).toMatchObject({
      type: 'object',
      required: ['host', 'colour', 'keyCode'],
      properties: {
        host: { type: 'string', description: 'an IP address or a host name, without user or port' },
        colour: { enum: ['red', 'green'] },
        width: { default: '80', description: 'a whole number of centimetres from 60 to 120' },
        keyCode: { title: 'key code', writeOnly: true },
      },
    });
  });

  it('shows the whole of a value that `read` does not understand', () => {
    const parsed = parse(z.object({ even: readBy((text) => (text === '2' ? 2 : undefined), 'two') }), { even: '3' });
    expect(parsed).toMatchObject({ problems: [{ field: 'even', given: 'is "3"', allowed: 'two' }] });
  });
});

describe('a host', () => {
  it.each([
    ['[2001:db8::7]', '2001:db8::7'],
    ['2001:db8::7', '2001:db8::7'],
    ['[fe80::1%eth0]', 'fe80::1%eth0'],
    ['10.4.1.7', '10.4.1.7'],
    ['vps.example', 'vps.example'],
  ])('%s is %s', (text, bare) => {
    expect(parse(z.object({ host }), { host: text })).toEqual({ value: { host: bare } });
  });

  it.each(['[10.4.1.7]', '[vps.example]', '[::1', '::1]', '[[::1]]', '[]', '[::1]:22'])('%s is none', (text) => {
    expect(parse(z.object({ host }), { host: text })).toHaveProperty('problems');
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hasLabel, labelInWords, labelsInWords, parseLabel, parseLabelFilter, parseLabels } from './label.ts';

const LONG = 'a'.repeat(40);

describe('a label', () => {
  it.each([
    ['provider=hetzner', { name: 'provider', value: 'hetzner' }],
    [' Region=FSN1 ', { name: 'region', value: 'fsn1' }],
    ['canary', { name: 'canary', value: '' }],
    ['canary=', { name: 'canary', value: '' }],
    ['rack=a/b:3', { name: 'rack', value: 'a/b:3' }],
    [`${LONG}=${'b'.repeat(63)}`, { name: LONG, value: 'b'.repeat(63) }],
  ])('%s', (text, label) => {
    expect(parseLabel(text)).toEqual(label);
  });

  it.each(['', '=', '=x', 'a=b=c', 'a b', '-a', 'a-', 'a=-', `${LONG}a`, `a=${'b'.repeat(64)}`, 'ä', 'a=<b>', 'a,b'])(
    '%j is none',
    (text) => {
      expect(parseLabel(text)).toBeNull();
    },
  );
});

describe('a list of labels', () => {
  it.each([
    ['', ''],
    [' canary,  region=fsn1 provider=hetzner,', 'canary, provider=hetzner, region=fsn1'],
    ['a=1 a=1', 'a=1'],
    ['a b c d e f g h i j k l m n o p', 'a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p'],
  ])('%j', (text, words) => {
    expect(labelsInWords(parseLabels(text) ?? [])).toBe(words);
  });

  it.each([
    ['two values of one name', 'a=1 a=2'],
    ['a word with a value besides', 'a a=2'],
    ['one more than a VPS may have', 'a b c d e f g h i j k l m n o p q'],
    ['something that is none', 'a, <b>'],
  ])('is refused: %s', (_, text) => {
    expect(parseLabels(text)).toBeNull();
  });

  it('says the same when it is written and read again', () => {
    const label = fc.stringMatching(/^[a-z0-9]{1,8}(=[a-z0-9]{1,8})?$/).map((text) => parseLabel(text));
    const labels = fc.uniqueArray(label, { maxLength: 16, selector: (one) => one?.name });
    fc.assert(
      fc.property(labels, (given) => {
        const known = given.filter((one) => one !== null);
        const read = parseLabels(labelsInWords(known));
        expect(read?.map(labelInWords).toSorted()).toEqual(known.map(labelInWords).toSorted());
      }),
    );
  });
});

describe('what is asked of labels', () => {
  const labels = parseLabels('region=fsn1, canary') ?? [];
  it.each([
    ['region=fsn1', true],
    ['region', true],
    ['region=nbg1', false],
    ['canary', true],
    ['canary=', true],
    ['region=', false],
    ['provider', false],
  ])('%s', (text, isMeant) => {
    const filter = parseLabelFilter(text);
    expect(filter && hasLabel(labels, filter)).toBe(isMeant);
  });
});

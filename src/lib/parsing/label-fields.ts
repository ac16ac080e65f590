import { LABEL_WORDS, parseLabelFilter, parseLabels } from '../facts/label.ts';
import { readBy } from './fields.ts';

/** A list as `provider=hetzner, canary`; an empty one is one, too. */
export const labelList = readBy((text) => parseLabels(text) ?? undefined, {
  title: 'labels',
  description: LABEL_WORDS,
});

export const labelFilter = readBy(
  (text) => parseLabelFilter(text) ?? undefined,
  'a label such as provider=hetzner or canary, or its name alone',
);

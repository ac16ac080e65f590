/** What an operator sorts VPSs by: `provider=hetzner`, or a free word such as `canary`, whose value is empty. */
export type Label = { readonly name: string; readonly value: string };

/** How many labels one VPS may have. */
export const MOST_LABELS = 16;
export const LABEL_WORDS =
  'up to 16 labels such as "provider=hetzner, canary": small letters, digits and . _ - (in a value also : and /), ' +
  'up to 40 for a name, 63 for a value';

const NAME = /^[a-z0-9](?:[a-z0-9._-]{0,38}[a-z0-9])?$/;
const VALUE = /^(?:[a-z0-9](?:[a-z0-9._:/-]{0,61}[a-z0-9])?)?$/;

/** Reads `name=value` or `name`, in whatever case; null for anything else. */
export function parseLabel(text: string): Label | null {
  const [name = '', value = '', ...more] = text.trim().toLowerCase().split('=');
  return NAME.test(name) && VALUE.test(value) && more.length === 0 ? { name, value } : null;
}

/** The way back. */
export const labelInWords = ({ name, value }: Label): string => (value === '' ? name : `${name}=${value}`);

/**
 * Reads a list with commas or blanks in between; sorted by name. Null where one of them is none, where a name has two
 * values, and where they are more than a VPS may have.
 */
export function parseLabels(text: string): Label[] | null {
  const labels = new Map<string, Label>();
  for (const one of text.split(/[\s,]+/)) {
    if (one === '') continue;
    const label = parseLabel(one);
    if (label === null || (labels.get(label.name)?.value ?? label.value) !== label.value) return null;
    labels.set(label.name, label);
    if (labels.size > MOST_LABELS) return null;
  }
  return inOrder([...labels.values()]);
}

export const inOrder = (labels: readonly Label[]): Label[] =>
  labels.toSorted((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));

export const labelsInWords = (labels: readonly Label[]): string => labels.map(labelInWords).join(', ');

/** Which VPSs are meant: those with this label, or, where `value` is null, with one of this name. */
export type LabelFilter = { readonly name: string; readonly value: string | null };

/** Reads `provider=hetzner`, `provider` for any value of it, or `provider=` for the free word alone. */
export function parseLabelFilter(text: string): LabelFilter | null {
  const label = parseLabel(text);
  return label && { name: label.name, value: text.includes('=') ? label.value : null };
}

export const filterInWords = ({ name, value }: LabelFilter): string => (value === null ? name : `${name}=${value}`);

/** Whether these labels are what is meant. */
export const hasLabel = (labels: readonly Label[], { name, value }: LabelFilter): boolean =>
  labels.some((label) => label.name === name && (value === null || label.value === value));
